//! `import` beside the least that loading the same rows takes: `pg_restore` into a new database, and `\copy` into a server
//! that others use.

use std::collections::BTreeMap;
use std::io::Seek;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_examples::SampleHost;

use crate::measure::{Measured, run, run_into};
use crate::table::{Goal, Table};
use crate::{Result, export, host, mebibytes};

/// How much longer a message may take where there are more of them.
const GROWTH: f64 = 1.25;

/// What an import says of itself.
#[derive(serde::Deserialize)]
struct Report {
    way: serde_json::Value,
    stretches: BTreeMap<String, f64>,
    seconds: f64,
}

/// All of it. `server` is the one whose largest organisation is exported, and then imported again.
pub(crate) fn measure(tool: &Utf8Path, server: &SampleHost, work: &Utf8Path, table: &mut Table) -> Result<()> {
    let directory = work.join("to-import");
    let (realm, _) = export::largest_realm(server)?;
    export::export(tool, server, realm, &directory)?;
    let first = first_import(tool, &directory, work, table)?;
    let shared = shared_server(tool, server, &directory, work, table)?;
    table.goal(Goal::at_most("import, most peak memory in MiB", mebibytes(first.max(shared)), 256.0));
    std::fs::remove_dir_all(&directory)?;
    host::flush()
}

/// Into a server that has hardly anything; its peak memory.
fn first_import(tool: &Utf8Path, export: &Utf8Path, work: &Utf8Path, table: &mut Table) -> Result<u64> {
    let root = work.join("new-server");
    let server = host::start_other(&root)?;
    host::settle(&server)?;
    let ours = import(tool, &server, "bench", export, "postgres")?;
    table.add("import, first: into a server with hardly a message", &ours, None);
    host::settle(&server)?;
    let dump = work.join("imported.dump");
    let dumping = ["--format=custom", "--compress=0", "--file", dump.as_str(), "zulip"];
    run(host::program(&server, "pg_dump")?.args(dumping), &[0])?;
    let mut admin = server.cluster().connect_options("postgres").connect("bench")?;
    // Each is a transaction of its own.
    admin.batch_execute("DROP DATABASE zulip")?;
    admin.batch_execute("CREATE DATABASE zulip OWNER zulip")?;
    host::flush()?;
    let restored =
        run(host::program(&server, "pg_restore")?.args(["--jobs=1", "--dbname=zulip", dump.as_str()]), &[0])?;
    table.add("the same database: pg_restore -j1", &restored, None);
    table.goal(Goal::at_most("first import, wall vs pg_restore -j1", ours.wall / restored.wall, 1.3));
    std::fs::remove_file(&dump)?;
    drop(server);
    std::fs::remove_dir_all(&root)?;
    host::flush()?;
    Ok(ours.peak_bytes)
}

/// Into a server with as many messages, by the ordinary role; its peak memory.
fn shared_server(
    tool: &Utf8Path,
    server: &SampleHost,
    export: &Utf8Path,
    work: &Utf8Path,
    table: &mut Table,
) -> Result<u64> {
    // The organisation is here already: what is imported is another.
    another(export)?;
    // Both begin with the same pages: a table that was deleted from has room in it, and is filled faster.
    copy_database("before", "zulip", server)?;
    host::settle(server)?;
    let ours = import(tool, server, "bench", export, "zulip")?;
    table.add("import, shared: into a server with as many messages", &ours, None);
    host::settle(server)?;
    let rows = work.join("rows");
    let script = copies(server, &rows)?;
    copy_database("zulip", "before", server)?;
    host::settle(server)?;
    let mut psql = host::program(server, "psql")?;
    psql.env("PGUSER", "zulip");
    let arguments =
        ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file", script.as_str()];
    let copied = run(psql.args(arguments), &[0])?;
    table.add("the same rows: psql, \\copy in one transaction", &copied, None);
    table.goal(Goal::at_most("shared import, wall vs \\copy", ours.wall / copied.wall, 1.2));
    std::fs::remove_dir_all(&rows)?;
    Ok(ours.peak_bytes)
}

/// Makes a database anew, the same as another to the page.
fn copy_database(name: &str, other: &str, server: &SampleHost) -> Result<()> {
    let mut admin = server.cluster().connect_options("postgres").connect("bench")?;
    // Each is a transaction of its own.
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))?;
    admin.batch_execute(&format!("CREATE DATABASE {name} OWNER zulip TEMPLATE {other}"))?;
    Ok(())
}

/// Gives an exported organisation another uuid.
fn another(export: &Utf8Path) -> Result<()> {
    let path = export.join("realm.json");
    let text = std::fs::read_to_string(&path)?;
    let key = "\"uuid\"";
    let value = text.find(key).ok_or("the export has no uuid")? + key.len();
    let at = value + text[value..].find('"').ok_or("the export's uuid is no text")? + 1;
    let other = text.get(at..at + 8).ok_or("the export's uuid is cut off")?;
    let other = if other == "01234567" { "76543210" } else { "01234567" };
    Ok(std::fs::write(&path, [&text[..at], other, &text[at + 8..]].concat())?)
}

fn import(tool: &Utf8Path, server: &SampleHost, subdomain: &str, export: &Utf8Path, role: &str) -> Result<Measured> {
    let [root, database] = server.flags();
    let database = database.replace("user=postgres", &format!("user={role}"));
    let command = ["import", subdomain, export.as_str(), "--no-progress", "--json"];
    let mut report = tempfile::tempfile()?;
    let stdout = Stdio::from(report.try_clone()?);
    let measured = run_into(Command::new(tool).args(command).args([root, database]), &[0, 1], stdout)?;
    report.rewind()?;
    let report: Report = serde_json::from_reader(&report)?;
    let stretches: Vec<String> = report.stretches.iter().map(|(name, took)| format!("{name} {took:.1}")).collect();
    println!("  {}, in seconds: {}; all {:.1}", report.way, stretches.join(", "), report.seconds);
    host::flush()?;
    Ok(measured)
}

/// Writes the rows of the latest import, by its transaction, to files, and a script that reads them in again.
fn copies(server: &SampleHost, directory: &Utf8Path) -> Result<Utf8PathBuf> {
    std::fs::create_dir(directory)?;
    let mut client = server.database().connect("bench")?;
    let tables = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'zulip' ORDER BY 1", &[])?;
    let latest = "SELECT xmin::text FROM zulip.zerver_realm WHERE string_id = 'bench'";
    let transaction: String = client.query_one(latest, &[])?.get(0);
    let (mut out, mut back) = (String::new(), String::new());
    for row in tables {
        let table: String = row.get(0);
        // The trigger fills it.
        if table == "fts_update_log" {
            continue;
        }
        let file = directory.join(&table);
        out +=
            &format!("\\copy (SELECT * FROM zulip.{table} WHERE xmin = '{transaction}') TO '{file}' (FORMAT binary)\n");
        back += &format!("\\copy zulip.{table} FROM '{file}' (FORMAT binary)\n");
    }
    let (writes, reads) = (directory.join("out.sql"), directory.join("in.sql"));
    std::fs::write(&writes, out)?;
    std::fs::write(&reads, back)?;
    let arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", writes.as_str()];
    run(host::program(server, "psql")?.args(arguments), &[0])?;
    Ok(reads)
}

/// How a first import grows with the organisation.
pub(crate) fn scale(
    tool: &Utf8Path,
    export: &Utf8Path,
    messages: u64,
    work: &Utf8Path,
    first: &mut Option<f64>,
    table: &mut Table,
) -> Result<()> {
    let root = work.join("new-server");
    let fresh = host::start_other(&root)?;
    host::settle(&fresh)?;
    let measured = import(tool, &fresh, "bench", export, "postgres")?;
    drop(fresh);
    std::fs::remove_dir_all(&root)?;
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let each = measured.wall * 1e6 / messages as f64;
    table.add(&format!("first import of {messages} messages, {each:.2} µs each"), &measured, None);
    table.goal(Goal::at_most(
        format!("peak memory of importing {messages} messages in MiB"),
        mebibytes(measured.peak_bytes),
        512.0,
    ));
    match first {
        None => *first = Some(each),
        Some(first) => {
            let name = format!("time a message, import of {messages} messages vs the first size");
            table.goal(Goal::at_most(name, each / *first, GROWTH));
        }
    }
    Ok(())
}
