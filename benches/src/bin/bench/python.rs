//! Verbs through the Python package beside the same verbs of the command: whole processes, and what it takes to start one.

use std::process::Command;

use camino::Utf8Path;
use zulip_backup_examples::SampleHost;

use crate::measure::{Measured, best_of, run};
use crate::table::{Goal, Table};
use crate::{Result, backup, export, host};

/// The script that calls the package.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/verb.py");

/// What the package and the command are asked for.
struct Verb<'a> {
    name: &'a str,
    /// What it reads.
    from: &'a str,
    /// What it writes, which is removed again: the end of the name.
    output: Option<&'a str>,
    /// The command's own words.
    words: Vec<&'a str>,
    /// How often each side is measured: the difference is smaller than what other work on the machine does to a single run,
    /// and to a short one more.
    rounds: usize,
}

/// Runs a verb, with what it writes.
type Side<'a> = dyn Fn(Option<&Utf8Path>) -> Result<Measured> + 'a;

/// All of it, on a server that has come to rest.
pub(crate) fn measure(
    tool: &Utf8Path,
    server: &SampleHost,
    work: &Utf8Path,
    python: &Utf8Path,
    table: &mut Table,
) -> Result<()> {
    let archive = work.join("python.tar.zst");
    backup::create(tool, server, &archive)?;
    let realm = export::largest_realm(server)?.0;
    let directory = work.join("python-export");
    export::export(tool, server, realm, &directory)?;
    let realm = realm.to_string();
    host::flush()?;
    let start = best_of(16, || run(Command::new(python).args(["-c", "import zulip_backup as z; z.verify"]), &[0]))?;
    table.add("Python's own start, and loading the package, best of 16", &start, None);
    let verbs = [
        Verb { name: "create", from: "-", output: Some("again.tar.zst"), words: vec![], rounds: 4 },
        Verb { name: "verify", from: archive.as_str(), output: None, words: vec!["--full"], rounds: 16 },
        Verb {
            name: "export",
            from: &realm,
            // A directory would measure how fast the disk takes gibibytes.
            output: Some("again.tar.zst"),
            words: vec!["--no-record", "--realm"],
            rounds: 4,
        },
        Verb { name: "validate", from: directory.as_str(), output: None, words: vec![], rounds: 8 },
    ];
    for verb in &verbs {
        let sides: [&Side<'_>; 2] =
            [&|output| command(tool, server, verb, output), &|output| package(python, server, verb, output)];
        let (mut best, mut ratios) = ([None; 2], Vec::new());
        for round in 0..verb.rounds {
            let mut walls = [0.0; 2];
            // Each is as often the first: what one leaves in caches and on the disk is there for the other.
            for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                // Another name each time: a file system may be slow to use again what was removed a moment ago.
                let output = verb.output.as_ref().map(|output| work.join(format!("{round}-{side}-{output}")));
                let measured = sides[side](output.as_deref())?;
                clear(output.as_deref())?;
                walls[side] = measured.wall;
                best[side] = Some(Measured::best(best[side], measured));
            }
            ratios.push(walls[1] / walls[0]);
        }
        let [Some(commands), Some(packages)] = best else { return Err("nothing was measured".into()) };
        let Verb { name, rounds, .. } = verb;
        table.add(&format!("{name}, the command, best of {rounds}"), &commands, None);
        table.add(&format!("{name}, from Python, best of {rounds}"), &packages, None);
        table.goal(Goal::at_most(format!("{name} from Python vs the command, wall"), median(ratios), 1.03));
    }
    std::fs::remove_file(&archive)?;
    clear(Some(&directory))
}

fn command(tool: &Utf8Path, server: &SampleHost, verb: &Verb<'_>, output: Option<&Utf8Path>) -> Result<Measured> {
    let mut command = Command::new(tool);
    if verb.output.is_some() {
        command.args(server.flags());
    }
    command.args([verb.name, "--no-progress", "-q"]).args(&verb.words);
    if verb.from != "-" {
        command.arg(verb.from);
    }
    if let Some(output) = output {
        command.args(["--output", output.as_str()]);
    }
    run(&mut command, &[0, 1])
}

fn package(python: &Utf8Path, server: &SampleHost, verb: &Verb<'_>, output: Option<&Utf8Path>) -> Result<Measured> {
    let output = output.map_or("-", Utf8Path::as_str);
    let mut command = Command::new(python);
    command.args([SCRIPT, verb.name, verb.from, output, server.root().as_str(), &server.address()]);
    run(&mut command, &[0])
}

/// The middle one: the machine's pace drifts, but hardly within a round.
fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    if ratios.len() % 2 == 1 { ratios[middle] } else { f64::midpoint(ratios[middle - 1], ratios[middle]) }
}

/// Removes what was written, and lets the disk come to rest.
fn clear(output: Option<&Utf8Path>) -> Result<()> {
    if let Some(output) = output {
        if output.is_dir() { std::fs::remove_dir_all(output) } else { std::fs::remove_file(output) }?;
    }
    host::flush()
}
