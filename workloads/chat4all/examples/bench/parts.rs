//! The parts of the bench, and which of them are wanted.

use serde::Serialize;

/// Something that is measured, and can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the API accepts.
    Accept,
    /// What a router moves.
    Router,
    /// How long the API takes for a page.
    Read,
    /// What more partitions and replicas cost.
    Growth,
}

/// In the order in which they are run.
const ALL: [(&str, Part); 4] =
    [("accept", Part::Accept), ("router", Part::Router), ("read", Part::Read), ("growth", Part::Growth)];

/// The parts of these names, or all where there is no name. The error is one line that names the parts.
pub fn named(names: &[String]) -> Result<Vec<Part>, String> {
    let known = ALL.map(|(name, _)| name);
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("the bench has no part {name:?}; its parts are {}", known.join(", ")));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(ALL.into_iter().filter(|(name, _)| wanted(name)).map(|(_, part)| part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Vec<Part>, String> {
        named(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_parts_that_are_named_are_run_once_and_in_their_order() {
        assert_eq!(of(&["read", "accept", "read"]), Ok(vec![Part::Accept, Part::Read]));
    }

    #[test]
    fn all_parts_are_run_where_none_is_named() {
        assert_eq!(of(&[]), Ok(vec![Part::Accept, Part::Router, Part::Read, Part::Growth]));
    }

    #[test]
    fn a_name_of_no_part_is_told_with_those_that_there_are() {
        let told = of(&["router", "reed"]).unwrap_err();
        assert_eq!(told, "the bench has no part \"reed\"; its parts are accept, router, read, growth");
    }
}
