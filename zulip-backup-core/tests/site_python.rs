//! The readers of settings and INI files against Python's own, on generated texts.
//!
//! The property that matters: whatever the reader claims to know, Python agrees with. Needs `python3`; says so and
//! passes where there is none.
#![allow(clippy::expect_used, clippy::print_stderr, clippy::unwrap_used)] // a test

use std::io::Write;
use std::process::{Command, Stdio};

use zulip_backup_core::site::Ini;
use zulip_backup_core::site::settings_py::{Lookup, SettingsPy, set_literal};

/// A small generator with a fixed seed: the same texts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// Gives `program` the texts as a JSON list and returns the JSON list it prints, or `None` without Python.
fn python(program: &str, texts: &[String]) -> Option<Vec<serde_json::Value>> {
    let mut child = Command::new("python3")
        .args(["-W", "ignore", "-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|_| eprintln!("skipped: there is no python3"))
        .ok()?;
    let input = serde_json::to_vec(texts).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

const RUN_SETTINGS: &str = r"
import json, sys, os
def run(text):
    names = {'os': os, 'g': lambda *a, **k: 7}
    try:
        exec(compile(text, 'settings', 'exec'), names)
    except BaseException:
        return None
    return {n: str(names[n]) for n in 'ABC' if n in names}
print(json.dumps([run(t) for t in json.load(sys.stdin)]))
";

const VALUES: [&str; 24] = [
    "1",
    "'x'",
    "\"y\"",
    "'''A = 5\nB = 6'''",
    "r'\\d'",
    "'\\x41\\n\\'q'",
    "(1, 'a')",
    "[1,\n  2]",
    "{'A': 1, 'B': [2]}",
    "None",
    "True",
    "g(A=1)",
    "'a' 'b'",
    "('a'  # B = 9\n 'b')",
    "f'{1}'",
    "1 + 1",
    "os.path.join('/a', 'b')",
    "-0x1f",
    "1.5",
    "'é\\u00e9'",
    "1,",
    "lambda A=1: A",
    "1 if 0 else 2",
    "'#'",
];

fn statement(random: &mut Random) -> String {
    let name = random.pick(&["A", "B", "C"]);
    let other = random.pick(&["A", "B", "C"]);
    let value = random.pick(&VALUES);
    match random.below(28) {
        0 => format!("if 0:\n    {name} = {value}"),
        1 => format!("if 1: {name} = 3; {other} = 4"),
        2 => format!("{name} = {other} = {value}"),
        3 => format!("{name}, {other} = 1, 2"),
        4 => format!("# {name} = {value}").replace('\n', " "),
        5 => format!("for {name} in (1, 2): pass"),
        6 => format!("def h():\n    global {name}\n    {name} = 'h'\nh()"),
        7 => format!("def h({name}=1):\n    {other} = 2\nh()"),
        8 => format!("g({name}=3)"),
        9 => format!("{name} = 'p'; {name} += 'q'"),
        10 => format!("del {name}"),
        11 => format!("{name} \\\n  = {value}"),
        12 => "from os.path import *".to_owned(),
        13 => format!("from os import sep as {name}"),
        14 => format!("{name} = []; {name}.append(1)"),
        15 => format!("{name} = {{}}; {name}['k'] = 1"),
        16 => format!("g(({name} := 5))"),
        17 => format!("exec(\"{name} = 'e'\")"),
        18 => format!("class {name}: {other} = 1"),
        19 => format!("try:\n    1/0\nexcept ZeroDivisionError as {name}:\n    pass"),
        20 => format!("\"\"\"\n{name} = {}\n\"\"\"", value.replace('"', "")),
        21 => format!("{name}: str = {value}"),
        22 => format!("while 0: {name} = 1\nelse: {name} = 2"),
        23 => format!("match = case = 1; {name} = {value}"),
        24 => format!("match [1, 2]:\n    case [{name}, 2]: pass"),
        _ => format!("{name} = {value}  # {other} = 0"),
    }
}

fn programs(count: usize) -> Vec<String> {
    let mut random = Random(0x5eed_2025);
    let mut programs = Vec::new();
    for _ in 0..count {
        let lines = 1 + random.below(6);
        let newline = random.pick(&["\n", "\n", "\r\n"]);
        let text: Vec<String> = (0..lines).map(|_| statement(&mut random)).collect();
        programs.push(text.join("\n").replace('\n', newline));
    }
    programs
}

#[test]
fn whatever_is_known_of_a_settings_file_python_agrees_with() {
    let programs = programs(4000);
    let Some(answers) = python(RUN_SETTINGS, &programs) else { return };
    let (mut agreed, mut ran) = (0, 0);
    for (text, answer) in programs.iter().zip(answers) {
        let Some(values) = answer.as_object() else { continue };
        ran += 1;
        let parsed = SettingsPy::parse(text).unwrap_or_else(|fault| panic!("{fault} in {text}"));
        for name in ["A", "B", "C"] {
            match parsed.get(name) {
                Lookup::Literal(value, _) => {
                    assert_eq!(
                        values.get(name).and_then(|v| v.as_str()),
                        Some(value.to_python_str().as_str()),
                        "{name} in\n{text}"
                    );
                    agreed += 1;
                }
                Lookup::Absent => assert!(!values.contains_key(name), "{name} in\n{text}"),
                Lookup::Unknowable { .. } => {}
            }
        }
    }
    assert!(ran > 1500 && agreed > 1000, "the generator makes sense: {agreed} values of {ran} programs");
}

#[test]
fn whatever_is_set_in_a_settings_file_python_then_has() {
    let value = "it's \"new\" \\ é #";
    let mut edited: Vec<String> = Vec::new();
    let before = programs(2000);
    for text in &before {
        edited.push(set_literal(text, "A", value).unwrap_or_else(|error| panic!("{error} in\n{text}")));
    }
    let Some(old) = python(RUN_SETTINGS, &before) else { return };
    let new = python(RUN_SETTINGS, &edited).expect("it ran a moment ago");
    let mut checked = 0;
    for ((text, old), new) in edited.iter().zip(old).zip(new) {
        // A new value may make a program fail that computed with the old one; then there is nothing to compare.
        let (Some(_), Some(new)) = (old.as_object(), new.as_object()) else { continue };
        assert_eq!(new.get("A").and_then(|v| v.as_str()), Some(value), "in\n{text}");
        checked += 1;
    }
    assert!(checked > 700, "{checked}");
}

const RUN_INI: &str = r"
import configparser, io, json, sys
def run(text):
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    return {s: dict(parser.items(s)) for s in parser.sections()}
print(json.dumps([run(t) for t in json.load(sys.stdin)]))
";

const INI_LINES: [&str; 30] = [
    "[a]",
    "[b]",
    "[DEFAULT]",
    "[a b]",
    "[c] junk",
    "k = v",
    "K=w",
    "l: x = y",
    "m :z",
    "n =",
    "  indented = 1",
    "   more",
    "\tmore",
    "",
    "  ",
    "# comment",
    "  ; comment",
    "p = a # b ; c",
    "q = 50%",
    "r = %(k)s",
    "nothing",
    "= x",
    "s = [x]",
    "t = \"quoted\"",
    "u == v",
    "v = \u{a0}space\u{a0}",
    "w = tab\t",
    "  [d]",
    "É = é",
    "x = 1:2",
];

#[test]
fn an_ini_file_is_read_as_python_reads_it() {
    let mut random = Random(0x1171_2025);
    let texts: Vec<String> = (0..6000)
        .map(|_| {
            let newline = random.pick(&["\n", "\n", "\r\n", "\r"]);
            let lines: Vec<&str> = (0..random.below(10)).map(|_| random.pick(&INI_LINES)).collect();
            format!("[first]{newline}{}", lines.join(newline))
        })
        .collect();
    let Some(answers) = python(RUN_INI, &texts) else { return };
    let mut read = 0;
    for (text, answer) in texts.iter().zip(answers) {
        let ini = Ini::parse(text);
        let Some(sections) = answer.as_object() else {
            assert!(!ini.problems().is_empty(), "Python refuses\n{text}");
            continue;
        };
        read += 1;
        assert!(ini.problems().is_empty(), "{:?} in\n{text}", ini.problems());
        let mut names: Vec<&str> = sections.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(ini.sections().collect::<Vec<_>>(), names, "in\n{text}");
        for (section, values) in sections {
            let values = values.as_object().unwrap();
            assert_eq!(ini.keys(section).len(), values.len(), "[{section}] in\n{text}");
            for (key, value) in values {
                assert_eq!(ini.get(section, key), value.as_str(), "{key} of [{section}] in\n{text}");
            }
        }
    }
    assert!(read > 1500, "the generator makes sense: {read}");
}
