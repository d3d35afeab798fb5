//! The report as Markdown: the figures without the plots.

use super::against::{Against, against};
use super::claim::{claim, verdict};
use super::columns::COLUMNS;
use super::facts::{again, facts};
use super::figures::Figures;
use super::number::{NONE, day, seconds};
use crate::proof::record::{Proof, Round};

/// How many violations of a fault are read without opening them.
const SHOWN: usize = 10;

/// The whole file.
pub fn markdown(proof: &Proof) -> String {
    let against = against(proof);
    let parts = [
        format!("# Proof of {}\n", day(proof.began)),
        format!("**{}**\n", escaped(&verdict(proof, &against))),
        against.iter().map(violations).collect(),
        format!("{}\n", escaped(&claim(proof))),
        facts(proof).iter().map(|(name, fact)| format!("- {name}: {}\n", escaped(fact))).collect(),
        "The plots are in [index.html](index.html), the data in [proof.json](proof.json).\n".to_owned(),
        format!("## What became of the messages\n\n{}", table(proof)),
        format!("## Each round\n\nIn seconds, the shortest first.\n\n{}", rounds(proof)),
        "## What the columns mean\n".to_owned(),
        COLUMNS.iter().map(|column| format!("- **{}**: {}\n", column.heading, column.meaning)).collect(),
        format!("## How to do it again\n\n```sh\n{}```\n", again(proof)),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn violations(against: &Against<'_>) -> String {
    let (shown, more) = against.violations.split_at(against.violations.len().min(SHOWN));
    let list = |lines: &[String]| lines.iter().map(|line| format!("- {}\n", escaped(line))).collect::<String>();
    let mut text = format!("{}: {}\n", escaped(against.fault), against.what);
    if !shown.is_empty() {
        text += &format!("\n{}", list(shown));
    }
    if !more.is_empty() {
        text += &format!("\n<details><summary>{} more</summary>\n\n{}\n</details>\n", more.len(), list(more));
    }
    text + "\n"
}

fn table(proof: &Proof) -> String {
    let row = |name: &str, figures: &Figures| {
        line(std::iter::once(name.to_owned()).chain(COLUMNS.iter().map(|column| {
            let cell = (column.cell)(figures);
            if cell.bad { format!("**{}**", cell.text) } else { cell.text }
        })))
    };
    let headings = line(std::iter::once("Fault").chain(COLUMNS.iter().map(|column| column.heading)));
    let rule = line(std::iter::once("---").chain(COLUMNS.iter().map(|_| "---:")));
    let faults: String = proof.faults.iter().map(|fault| row(&escaped(&fault.name), &Figures::of(fault))).collect();
    headings + &rule + &faults + &row("All", &Figures::of_all(proof))
}

fn rounds(proof: &Proof) -> String {
    let sorted = |rounds: &[Round], of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let texts: Vec<String> = values.into_iter().map(seconds).collect();
        if texts.is_empty() { NONE.to_owned() } else { texts.join(" ") }
    };
    let lines = proof.faults.iter().map(|fault| {
        let pauses = sorted(&fault.rounds, |round| round.longest_pause_s);
        line([escaped(&fault.name), pauses, sorted(&fault.rounds, |round| round.normal_after_s)])
    });
    line(["Fault", "Longest pause", "Normal after"]) + &line(["---"; 3]) + &lines.collect::<String>()
}

fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// On one line, with nothing in it that Markdown would take as its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_loss_is_told_before_everything_else() {
        let mut proof = example::proof();
        proof.faults[0].messages.lost = 1;
        proof.faults[0].violations = vec!["lost: message 7 is in the store without a delivery".to_owned()];
        let text = markdown(&proof);
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in {text}"));
        assert!(place("Not proved") < place("1 message lost"));
        assert!(place("lost: message 7") < place("accepted under"));
        assert!(text.contains("| **1** |"));
    }

    #[test]
    fn all_violations_are_in_the_file_however_many() {
        let mut proof = example::proof();
        proof.faults[0].violations = (0..35).map(|n| format!("violation {n}.")).collect();
        let text = markdown(&proof);
        assert!((0..35).all(|n| text.contains(&format!("violation {n}."))));
        assert!(text.contains("<summary>25 more</summary>"));
    }

    #[test]
    fn a_name_cannot_break_the_table() {
        let mut proof = example::proof();
        proof.faults[0].name = "a|b\n<i>*c*".to_owned();
        assert!(table(&proof).contains("\n| a\\|b \\<i\\>\\*c\\* | "));
        let cells: Vec<usize> =
            table(&proof).lines().map(|line| line.replace("\\|", "").matches('|').count()).collect();
        assert!(cells.iter().all(|n| *n == COLUMNS.len() + 2), "{cells:?}");
    }

    #[test]
    fn a_fault_without_rounds_has_a_dash() {
        let mut proof = example::proof();
        proof.faults[0].rounds.clear();
        assert!(rounds(&proof).lines().nth(2).unwrap().ends_with("| – | – |"));
    }
}
