//! The `northing` binary: wires clock, ids, store, facts and server together and speaks to a terminal.
//! Everything it can do is in the other crates.

/// Prints a line; a reader that has seen enough (`| head`) ends the program quietly.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write;
        if writeln!(std::io::stdout(), $($part)*).is_err() {
            std::process::exit(0);
        }
    }};
}

mod commands;
mod kpi;
mod memory;
mod table;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Northing: a self-hosted CRM that proves its numbers.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// Take this instant as the current time (RFC 3339), for looking at a workspace as of another day.
    #[arg(long, global = true, value_name = "INSTANT")]
    now: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the workspace to browsers and the API
    Serve(commands::Serve),
    /// Fill an empty folder with a demo workspace (and serve it with --serve)
    Demo(commands::Demo),
    /// Import files by a plan; without one, show a guessed plan. Ends with 3 where nothing could be guessed, 4 where
    /// something has to be said first, 5 where rows were set aside
    Import(commands::Import),
    /// Compute a metric
    Kpi(kpi::Kpi),
    /// Show the records behind a number
    Drill(kpi::Drill),
    /// List and describe the metrics
    Metrics(kpi::Metrics),
    /// Prove that the kept facts equal rebuilt ones, and the database its checks
    Check(commands::Check),
    /// Write the workspace into one file, also while it is served
    Backup(commands::Backup),
    /// Make a workspace of a backup, in an empty folder
    Restore(commands::Restore),
    /// Make a link that signs the owner in once, also while the server runs
    Link(commands::Link),
    /// Write the OpenAPI document
    Openapi,
    /// Write the reference of the plan language
    PlanLanguage,
}

/// The folder that holds a workspace.
#[derive(clap::Args)]
struct Data {
    /// The workspace's folder
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let now = match cli.now.as_deref().map(|text| northing_model::value::parse_instant(text).ok_or(text)) {
        None => None,
        Some(Ok(instant)) => Some(instant),
        Some(Err(text)) => return fail(&format!("--now: '{text}' is not an instant; write it like 2024-05-31T09:30:00Z")),
    };
    let env = commands::environment(now);
    let outcome = match cli.command {
        Command::Serve(args) => args.run(env),
        Command::Demo(args) => args.run(env),
        Command::Import(args) => match args.run(&env) {
            Ok(code) => return code,
            Err(problem) => Err(problem),
        },
        Command::Kpi(args) => args.run(&env),
        Command::Drill(args) => args.run(&env),
        Command::Metrics(args) => args.run(&env),
        Command::Check(args) => args.run(),
        Command::Backup(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Link(args) => args.run(&env),
        Command::Openapi => commands::openapi(),
        Command::PlanLanguage => commands::plan_language(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("northing: {problem}");
    ExitCode::from(1)
}
