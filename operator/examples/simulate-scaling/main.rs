//! Compares the scaling of routers with the usual rule, `ceil(lag / threshold)`, on a model of a consumer
//! group, and prints one table. `make simulate-scaling` runs it.

mod curves;
mod group;
mod noise;
mod rules;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::io::Write;

fn main() -> std::io::Result<()> {
    write!(std::io::stdout().lock(), "{}", table::Table::of_all_curves())
}
