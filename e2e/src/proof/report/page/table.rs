//! The table of all faults. It scrolls in its own box where it is wider than the screen.

use maud::{Markup, html};

use super::super::columns::{COLUMNS, Column};
use super::super::figures::Figures;
use super::anchor;
use crate::proof::record::Proof;

/// A line for each fault, and one for all.
pub fn figures(proof: &Proof) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="What became of the messages, fault by fault" {
            table {
                thead {
                    tr { th {} @for (group, columns) in groups() { th.group[!group.is_empty()] colspan=(columns) { (group) } } }
                    tr { th scope="col" { "Fault" } @for column in &COLUMNS { th.first[begins(column)] scope="col" { (column.heading) } } }
                }
                tbody {
                    @for (fault, number) in proof.faults.iter().zip(1..) {
                        tr {
                            th scope="row" { a href=(format!("#{}", anchor(number))) { (fault.name) } }
                            (cells(&Figures::of(fault)))
                        }
                    }
                }
                tfoot { tr { th scope="row" { "All" } (cells(&Figures::of_all(proof))) } }
            }
        }
    }
}

fn cells(figures: &Figures) -> Markup {
    html! {
        @for column in &COLUMNS {
            @let cell = (column.cell)(figures);
            td.first[begins(column)].bad[cell.bad] { (cell.text) }
        }
        "\n"
    }
}

/// The groups with how many columns each has.
fn groups() -> Vec<(&'static str, usize)> {
    COLUMNS.chunk_by(|a, b| a.group == b.group).map(|columns| (columns[0].group, columns.len())).collect()
}

/// Whether a column is the first of its group.
fn begins(column: &Column) -> bool {
    let first = COLUMNS.iter().find(|other| other.group == column.group);
    first.is_some_and(|first| first.heading == column.heading)
}

#[cfg(test)]
mod tests {
    use super::super::super::example;
    use super::*;

    #[test]
    fn the_groups_are_over_all_columns() {
        assert_eq!(groups().iter().map(|(_, columns)| columns).sum::<usize>(), COLUMNS.len());
        assert_eq!(COLUMNS.iter().filter(|column| begins(column)).count(), groups().len());
    }

    #[test]
    fn a_loss_stands_out() {
        let mut proof = example::proof();
        assert!(!figures(&proof).into_string().contains("bad"));
        proof.faults[0].messages.lost = 3;
        assert_eq!(figures(&proof).into_string().matches("bad\">3<").count(), 2);
    }
}
