use super::*;

fn known(text: &str, name: &str) -> String {
    match SettingsPy::parse(text).unwrap().get(name) {
        Lookup::Literal(value, _) => value.to_python_repr(),
        other => panic!("{name} in {text:?}: {other:?}"),
    }
}

fn unknown(text: &str, name: &str) -> (u32, &'static str) {
    match SettingsPy::parse(text).unwrap().get(name) {
        Lookup::Unknowable { line, reason } => (line, reason),
        other => panic!("{name} in {text:?}: {other:?}"),
    }
}

#[test]
fn literals_of_every_form_are_read() {
    for (source, repr) in [
        ("'a'", "'a'"),
        ("\"it's\"", "\"it's\""),
        (r"'\x41\u00e9\n\q\101'", r"'Aé\n\\qA'"),
        (r"r'a\nb'", r"'a\\nb'"),
        ("u'x'", "'x'"),
        ("'a' \"b\" 'c'", "'abc'"),
        ("(  # why\n    'a'\n    'b'\n)", "'ab'"),
        ("'''one\ntwo'''", "'one\\ntwo'"),
        ("'a\\\nb'", "'ab'"),
        ("''", "''"),
        ("''''''", "''"),
        ("None", "None"),
        ("True", "True"),
        ("-1_000", "-1000"),
        ("0x1F", "31"),
        ("1.5", "1.5"),
        ("('a',)", "('a',)"),
        ("()", "()"),
        ("1, 2", "(1, 2)"),
        ("['a', ['b'],]", "['a', ['b']]"),
        ("{'a': 1, 'b': (2, None)}", "{'a': 1, 'b': (2, None)}"),
        ("os.path.join('/srv', 'zulip', 'uploads')", "'/srv/zulip/uploads'"),
        ("os.path.join('/srv', '/abs', '')", "'/abs/'"),
    ] {
        assert_eq!(known(&format!("import os\nX = {source}  # c\n"), "X"), repr, "{source}");
    }
}

#[test]
fn the_last_assignment_wins_and_text_that_only_looks_like_one_does_not_count() {
    let text = "X = 'first'\n# X = 'commented'\n'''\nX = 'docstring'\n'''\nfoo(\n    X='argument',\n)\ny = \"X = 'string'\"\nX: str = 'last'\n";
    assert_eq!(known(text, "X"), "'last'");
    assert_eq!(known("A = B = 'x'; C = 1", "B"), "'x'");
    assert_eq!(known("A = B = 'x'; C = 1", "C"), "1");
    assert_eq!(known("\u{feff}A = 1\r\nB = 2\rC = 3", "C"), "3");
    assert_eq!(SettingsPy::parse("# X = 1\nY = 2").unwrap().get("X"), Lookup::Absent);
}

#[test]
fn what_only_python_can_work_out_is_said_to_be_unknown() {
    for (text, line, word) in [
        ("X = os.environ['X']", 1, "computes"),
        ("X = 'a' + 'b'", 1, "computes"),
        ("X = f'{a}'", 1, "computes"),
        ("X = b'bytes'", 1, "computes"),
        ("X = '\\N{BULLET}'", 1, "computes"),
        ("X = 1\nif DEBUG:\n    X = 2\n", 3, "block"),
        ("X = 1\nif DEBUG: X = 2\n", 2, "block"),
        ("X = 1\ntry:\n    pass\nexcept E as X: pass\n", 4, "block"),
        ("X = 1\nfor X in y: pass", 2, "block"),
        ("X = 1\nwith a as X: pass", 2, "block"),
        ("X = 1\nX += 1", 2, "changes"),
        ("X = [1]\nX.append(2)", 2, "changes"),
        ("X = {}\nX['a'] = 2", 2, "changes"),
        ("X = 1\n(X, Y) = f()", 2, "changes"),
        ("X = 1\ndel X", 2, "deletes"),
        ("X = 1\nfrom other import *", 2, "imports every"),
        ("from other import *", 1, "imports every"),
        ("X = 1\nfrom m import (a, b as X)", 2, "imports it"),
        ("X = 1\nimport a.b as X", 2, "imports it"),
        ("X = 1\nexec(code)", 2, "reflection"),
        ("globals()['X'] = 2\nX = 1", 1, "reflection"),
        ("def f():\n    global X\n    X = 2\nX = 1\nf()", 2, "function"),
        ("X = 1\nasync def X(): pass", 2, "computes"),
        ("X = 1\nclass X: pass", 2, "computes"),
        ("X = 1\nprint(X := 2)", 2, "computes"),
    ] {
        let (found, reason) = unknown(text, "X");
        assert!(found == line && reason.contains(word), "{text:?}: line {found} {reason}");
    }
    assert_eq!(known("from m import *\nX = 1", "X"), "1", "an assignment after a star import counts again");
    assert_eq!(known("if a:\n    X = 1\nX = 2", "X"), "2");
    assert_eq!(known("X = 1\nif X == 2 and f(X=3): pass", "X"), "1", "reading is no change");
}

#[test]
fn hostile_texts_end_with_a_line_number() {
    for (text, line) in [
        ("X = 1\nY = 'open", 2),
        ("X = '''open\n\n", 1),
        ("X = (1,\n", 2),
        ("X = )", 1),
        ("X = (]", 1),
        ("X\0 = 1", 1),
        ("X = '\0'", 1),
        ("X = f'{a['b']}{'", 1),
        ("X = 'a\\", 1),
    ] {
        assert_eq!(SettingsPy::parse(text).unwrap_err().line, line, "{text:?}");
    }
    let deep = format!("X = {}1{}", "[".repeat(150), "]".repeat(150));
    assert!(unknown(&deep, "X").1.contains("computes"), "deeper than is followed");
    let deeper = format!("X = {}", "[".repeat(100_000));
    assert!(SettingsPy::parse(&deeper).is_err(), "deeper than Python allows");
    let chain = format!("{}1", "A = ".repeat(100_000));
    assert!(SettingsPy::parse(&chain).is_ok());
    let keys: Vec<String> = (0..100_000).map(|key| format!("{key}:1")).collect();
    let keys = keys.join(",");
    assert!(unknown(&format!("X = {{{keys}}}"), "X").1.contains("computes"));
    let minus = format!("X = {}1", "-".repeat(1_000_000));
    assert!(unknown(&minus, "X").1.contains("computes"));
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    for (text, edited) in [
        ("EXTERNAL_HOST = \"old\"  # c\nY = 1\n", "EXTERNAL_HOST = 'new.example.com'  # c\nY = 1\n"),
        ("EXTERNAL_HOST='old'", "EXTERNAL_HOST='new.example.com'"),
        ("# EXTERNAL_HOST = 'old'\n", "# EXTERNAL_HOST = 'old'\nEXTERNAL_HOST = 'new.example.com'\n"),
        ("EXTERNAL_HOST = 'a'\nEXTERNAL_HOST = 'b'\r\n", "EXTERNAL_HOST = 'a'\nEXTERNAL_HOST = 'new.example.com'\r\n"),
        ("EXTERNAL_HOST = os.environ['H'] # c", "EXTERNAL_HOST = 'new.example.com' # c"),
        ("EXTERNAL_HOST: str = (\n 'a' # x\n 'b')\n", "EXTERNAL_HOST: str = 'new.example.com'\n"),
        ("A = 1; EXTERNAL_HOST = 'x'; B = 2\n", "A = 1; EXTERNAL_HOST = 'new.example.com'; B = 2\n"),
        ("A = EXTERNAL_HOST = 'x'\n", "A = EXTERNAL_HOST = 'x'\nEXTERNAL_HOST = 'new.example.com'\n"),
        ("if a:\r\n  EXTERNAL_HOST = 'x'", "if a:\r\n  EXTERNAL_HOST = 'x'\r\nEXTERNAL_HOST = 'new.example.com'\r\n"),
        (
            "EXTERNAL_HOST = 'x'\nfrom m import *\n",
            "EXTERNAL_HOST = 'x'\nfrom m import *\nEXTERNAL_HOST = 'new.example.com'\n",
        ),
        (
            "X = \"\"\"\nEXTERNAL_HOST = 'x'\n\"\"\"\n",
            "X = \"\"\"\nEXTERNAL_HOST = 'x'\n\"\"\"\nEXTERNAL_HOST = 'new.example.com'\n",
        ),
        ("", "EXTERNAL_HOST = 'new.example.com'\n"),
    ] {
        assert_eq!(set_literal(text, "EXTERNAL_HOST", "new.example.com").unwrap(), edited);
    }
}

#[test]
fn any_string_survives_being_written_and_read() {
    for value in ["", "it's", "\"both\" 'kinds'", "a\\b\n\r\t\0\x1b\u{7f}\u{85}é✓", "#", "${x}{y}", "\\N{BULLET}"] {
        let text = set_literal("X = 1\n", "X", value).unwrap();
        let parsed = SettingsPy::parse(&text).unwrap();
        assert_eq!(parsed.get("X"), Lookup::Literal(&Literal::Str(value.to_owned()), 1), "{text}");
        assert_eq!(text.lines().count(), 1, "nothing breaks out of the line: {text:?}");
    }
}

#[test]
fn an_edit_that_cannot_work_is_refused() {
    assert_eq!(set_literal("X = 'open", "X", "y").unwrap_err().kind(), crate::ErrorKind::Config);
    assert_eq!(set_literal("if a:\\", "X", "y").unwrap_err().kind(), crate::ErrorKind::Config);
    for name in ["", "1a", "a b", "x = 1; import os; y"] {
        assert_eq!(set_literal("", name, "y").unwrap_err().kind(), crate::ErrorKind::Usage);
    }
}
