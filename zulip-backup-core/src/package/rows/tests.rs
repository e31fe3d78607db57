use super::*;

/// A source that gives a few bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

fn read(text: &[u8], piece: usize) -> Result<Vec<(String, String)>> {
    let mut reader = RowReader::new("x.json", Pieces(text, piece));
    let (mut items, mut list) = (Vec::new(), String::new());
    while let Some(item) = reader.next_item()? {
        match item {
            Item::List(key) => {
                key.clone_into(&mut list);
                items.push((list.clone(), "[".to_owned()));
            }
            Item::Row(row) => items.push((list.clone(), String::from_utf8(row.bytes.to_vec()).unwrap())),
            Item::Value(key, row) => items.push((key.to_owned(), String::from_utf8(row.bytes.to_vec()).unwrap())),
        }
    }
    Ok(items)
}

#[test]
fn rows_come_out_whatever_the_white_space_and_the_pieces() {
    let text = br#" { "a" :[ {"x": "}]\\\"{", "y": [1, {}]} ,7,null, "\\"] , "b\n":[],"c":{"d": []}, "e": 5.5e3 } "#;
    let expected = [
        ("a", "["),
        ("a", r#"{"x": "}]\\\"{", "y": [1, {}]}"#),
        ("a", "7"),
        ("a", "null"),
        ("a", r#""\\""#),
        ("b\n", "["),
        ("c", r#"{"d": []}"#),
        ("e", "5.5e3"),
    ]
    .map(|(key, row)| (key.to_owned(), row.to_owned()));
    for piece in [1, 2, 3, 7, 1000] {
        assert_eq!(read(text, piece).unwrap(), expected, "{piece}");
    }
    assert_eq!(read(b"[1]", 1).unwrap(), [(String::new(), "[".to_owned()), (String::new(), "1".to_owned())]);
}

#[test]
fn faults_have_a_place() {
    for (text, expected) in [
        (&b""[..], "line 1, column 1: expected { or [, found the file's end"),
        (b"{\n \"a\": [1,\n  2 3]}", "line 3, column 5: expected , or ], found '3'"),
        (b"{\"a\": [{\"b\": 1}", "line 1, column 16: expected , or ], found the file's end"),
        (b"{\"a\": [{\"b\": ", "line 1, column 14: expected the rest of a row, found the file's end"),
        (b"{} x", "line 1, column 4: expected the file's end, found 'x'"),
        (b"{\"a\" 1}", "line 1, column 6: expected :, found '1'"),
        (b"{\"a\": [1,]}", "line 1, column 10: expected a value, found ']'"),
        (b"{\"a\": [],}", "line 1, column 10: expected a key, found '}'"),
        (b"\xef\xbb\xbf{}", "line 1, column 1: expected { or [, found '\u{ef}'"),
    ] {
        for piece in [1, 1000] {
            let error = read(text, piece).unwrap_err();
            assert_eq!(error.to_string(), format!("x.json, {expected}"));
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }
    }
    let mut reader = RowReader::new("x.json", &b"{\n\"a\": [\n  {\"b\":\n   tru}]}"[..]);
    reader.next_item().unwrap();
    let Some(Item::Row(row)) = reader.next_item().unwrap() else { panic!() };
    assert_eq!(row.place(), Place { line: 3, column: 3 });
    let error = row.parse::<serde_json::Value>().unwrap_err().to_string();
    assert!(error.starts_with("x.json, line 4, column "), "{error}");
}

#[test]
fn a_row_beyond_the_limit_is_refused_before_memory_is_taken() {
    let mut reader =
        RowReader::new("x.json", std::io::Read::chain(&b"[\""[..], std::io::repeat(b'a'))).row_limit(1 << 20);
    reader.next_item().unwrap();
    let error = reader.next_item().unwrap_err();
    assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");
    assert!(reader.buffer.len() <= 8 << 20);
}

#[test]
fn what_is_read_is_what_serde_json_reads() {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    for _ in 0..300 {
        let mut document = serde_json::Map::new();
        for list in 0..below(&mut random, 4) {
            let rows = (0..below(&mut random, 6)).map(|_| value(&mut random, 3)).collect();
            document.insert(format!("list {list}{}", text(&mut random)), serde_json::Value::Array(rows));
        }
        let document = serde_json::Value::Object(document);
        let bytes = match below(&mut random, 2) {
            0 => serde_json::to_vec(&document).unwrap(),
            _ => serde_json::to_vec_pretty(&document).unwrap(),
        };
        let piece = 1 + below(&mut random, 40);
        let mut found = serde_json::Map::new();
        for (key, row) in read(&bytes, piece).unwrap() {
            match found.entry(key).or_insert_with(|| serde_json::Value::Array(Vec::new())) {
                serde_json::Value::Array(_) if row == "[" => {}
                serde_json::Value::Array(rows) => rows.push(serde_json::from_str(&row).unwrap()),
                _ => unreachable!(),
            }
        }
        assert_eq!(serde_json::Value::Object(found), document);
        // Cut off anywhere, it is never mistaken for a whole file.
        let cut = below(&mut random, bytes.len());
        assert!(read(&bytes[..cut], piece).is_err(), "{cut}");
    }
}

fn below(random: &mut rand_xoshiro::Xoshiro256PlusPlus, limit: usize) -> usize {
    use rand_xoshiro::rand_core::Rng;
    usize::try_from(random.next_u64() % limit.max(1) as u64).unwrap()
}

fn text(random: &mut rand_xoshiro::Xoshiro256PlusPlus) -> String {
    (0..below(random, 9))
        .map(|_| ['a', '"', '\\', '{', '}', '[', ']', ',', '\n', 'ü', '😀'][below(random, 11)])
        .collect()
}

fn value(random: &mut rand_xoshiro::Xoshiro256PlusPlus, depth: usize) -> serde_json::Value {
    match below(random, if depth == 0 { 4 } else { 6 }) {
        0 => serde_json::Value::Null,
        1 => true.into(),
        2 => (below(random, 1 << 40) as u64).into(),
        3 => text(random).into(),
        4 => (0..below(random, 4)).map(|_| value(random, depth - 1)).collect(),
        _ => (0..below(random, 4)).map(|_| (text(random), value(random, depth - 1))).collect(),
    }
}
