//! Reads one sample out of the text of `/metrics`.

/// The value of the sample with this name and all of these labels; `None` when there is none.
pub fn sample(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    text.lines().find_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, rest) = series.split_once('{').unwrap_or((series, "}"));
        let has = |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
        if found == name && labels.iter().all(has) { value.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_name_and_labels() {
        let text = "# HELP a_state State\n# TYPE a_state gauge\na_state{connector=\"w\",state=\"open\"} 1\na_state{connector=\"w\",state=\"closed\"} 0\nplain_total 17\n";
        assert_eq!(sample(text, "a_state", &[("state", "open")]), Some(1.0));
        assert_eq!(sample(text, "a_state", &[("state", "closed"), ("connector", "w")]), Some(0.0));
        assert_eq!(sample(text, "plain_total", &[]), Some(17.0));
        assert_eq!(sample(text, "a_state", &[("state", "half-open")]), None);
        assert_eq!(sample(text, "a", &[]), None);
    }
}
