//! Flags about printing.

use clap::{Args, ValueEnum};

/// How to print; the same for every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output options")]
pub struct OutputArgs {
    /// Print one JSON object on standard output (the report, the plan or the error) and events as JSON lines on
    /// standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only warnings, errors and the result
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print findings as they are made, and how long each part took
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Print no progress: neither bars nor lines
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// When to use colors: `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorWhen,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
