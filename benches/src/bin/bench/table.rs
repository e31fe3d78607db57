//! The result, as it goes into docs/performance.md.

use crate::measure::Measured;
use crate::size;

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<String>,
    goals: Vec<Goal>,
}

/// A goal and what was reached.
pub(crate) struct Goal {
    name: String,
    reached: f64,
    limit: f64,
}

impl Goal {
    pub(crate) fn at_most(name: impl Into<String>, reached: f64, limit: f64) -> Self {
        Self { name: name.into(), reached, limit }
    }
}

impl Table {
    pub(crate) fn add(&mut self, name: &str, measured: &Measured, bytes: Option<u64>) {
        let row = format!(
            "| {name} | {:.2} s | {:.2} s | {} | {} |",
            measured.wall,
            measured.cpu,
            size(measured.peak_bytes),
            bytes.map(size).unwrap_or_default()
        );
        println!("{row}");
        self.rows.push(row);
    }

    pub(crate) fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    pub(crate) fn print(&self) {
        println!("\n| what | wall | processor | peak memory | size |\n| --- | --- | --- | --- | --- |");
        self.rows.iter().for_each(|row| println!("{row}"));
        println!("\n| goal | reached | at most | |\n| --- | --- | --- | --- |");
        for Goal { name, reached, limit } in &self.goals {
            let outcome = if reached <= limit { "reached" } else { "missed" };
            // Two digits at most, and none that say nothing.
            let limit = (limit * 100.0).round() / 100.0;
            println!("| {name} | {reached:.2} | {limit} | {outcome} |");
        }
    }
}
