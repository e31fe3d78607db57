//! HTML compared by what a browser makes of it.

use html5ever::tendril::TendrilSink;
use html5ever::{LocalName, ParseOpts, QualName, ns, parse_fragment};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// Elements in which white space counts.
const VERBATIM: [&str; 2] = ["pre", "textarea"];

/// Attributes that are lists of words.
const LISTS: [&str; 2] = ["class", "rel"];

/// Whether two texts are the same once parsed. The order of attributes does not count, nor how a character or an end
/// tag is written, nor how much white space is between two elements: upstream's importer writes all of it anew.
pub fn same_html(one: &str, other: &str) -> bool {
    one == other || outline(one) == outline(other)
}

/// The tree of a text, written in one way only.
fn outline(text: &str) -> String {
    let context = QualName::new(None, ns!(html), LocalName::from("div"));
    let parser = parse_fragment(RcDom::default(), ParseOpts::default(), context, Vec::new(), false);
    let mut out = String::new();
    children(&parser.one(text).document, false, &mut out);
    out
}

fn children(node: &Handle, verbatim: bool, out: &mut String) {
    for child in node.children.borrow().iter() {
        write(child, verbatim, out);
    }
}

fn write(node: &Handle, verbatim: bool, out: &mut String) {
    match &node.data {
        NodeData::Element { name, attrs, .. } => {
            let attributes = attrs.borrow();
            let mut attributes: Vec<(String, String)> =
                attributes.iter().map(|attribute| pair(&attribute.name.local, &attribute.value)).collect();
            attributes.sort_unstable();
            out.push_str(&format!("<{} {attributes:?}>", name.local));
            children(node, verbatim || VERBATIM.contains(&&*name.local), out);
            out.push_str(&format!("</{}>", name.local));
        }
        NodeData::Text { contents } => {
            let text = contents.borrow();
            let blank = !verbatim && text.chars().all(|letter| letter.is_ascii_whitespace());
            let text = if !blank {
                &text
            } else if text.contains('\n') {
                "\n"
            } else {
                " "
            };
            out.push_str(&format!("{text:?}"));
        }
        NodeData::Comment { contents } => out.push_str(&format!("<!--{contents:?}-->")),
        NodeData::Document | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {
            children(node, verbatim, out);
        }
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    let words = || value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    (name.to_owned(), if LISTS.contains(&name) { words() } else { value.to_owned() })
}
