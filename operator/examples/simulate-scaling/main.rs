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

use chat4all_measure::{Error, Tables};

fn main() -> Result<(), Error> {
    Tables::of("simulate-scaling").add(&table::Table::of_all_curves().lines())
}
