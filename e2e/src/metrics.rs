//! Reads samples out of the text of `/metrics`.

/// The value of the sample with this name and all of these labels; `None` when there is none.
pub fn sample(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    samples(text, name, labels).next()
}

/// The sum of all samples with this name and all of these labels.
pub fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    samples(text, name, labels).sum()
}

fn samples(text: &str, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
    text.lines().filter_map(move |line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, rest) = series.split_once('{').unwrap_or((series, "}"));
        let has = |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
        if found == name && labels.iter().all(has) { value.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_state State\n# TYPE a_state gauge\na_state{connector=\"w\",state=\"open\"} 1\na_state{connector=\"w\",state=\"closed\"} 0\nplain_total 17\n";

    #[test]
    fn a_sample_is_found_by_name_and_labels() {
        assert_eq!(sample(TEXT, "a_state", &[("state", "open")]), Some(1.0));
        assert_eq!(sample(TEXT, "a_state", &[("state", "closed"), ("connector", "w")]), Some(0.0));
        assert_eq!(sample(TEXT, "plain_total", &[]), Some(17.0));
        assert_eq!(sample(TEXT, "a_state", &[("state", "half-open")]), None);
        assert_eq!(sample(TEXT, "a", &[]), None);
    }

    #[test]
    fn samples_of_one_name_are_summed() {
        assert_eq!(sum(TEXT, "a_state", &[("connector", "w")]), 1.0);
        assert_eq!(sum(TEXT, "b_state", &[]), 0.0);
    }
}
