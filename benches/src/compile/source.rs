//! The source of a crate with many functions of every kind.

use std::fmt::Write as _;

/// What stands on each function, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing.
    Plain,
    /// A struct of its arguments, with serde's derives.
    Derived,
    /// `#[task]`.
    Tasks,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Derived, Self::Tasks];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Derived => "derived",
            Self::Tasks => "tasks",
        }
    }
}

/// One of the kinds of functions that applications have.
struct Shape {
    /// What `#[task(..)]` is told.
    keys: &'static str,
    is_async: bool,
    /// `name: Type`, with `#[task(default)]` where a task has one.
    arguments: &'static [(&'static str, &'static str, bool)],
    output: &'static str,
    body: &'static str,
}

const SHAPES: &[Shape] = &[
    Shape {
        keys: "",
        is_async: true,
        arguments: &[("name", "String", false)],
        output: "String",
        body: "name",
    },
    Shape {
        keys: "queue = \"special\", priority = 10",
        is_async: true,
        arguments: &[
            ("to", "String", false),
            ("subject", "String", false),
            ("copies", "u32", false),
        ],
        output: "Result<usize, std::io::Error>",
        body: "Ok(to.len() + subject.len() + copies as usize)",
    },
    Shape {
        keys: "takes_context, max_attempts = 3, timeout = \"1m\"",
        is_async: true,
        arguments: &[("order", "Order", false), ("note", "Option<String>", false)],
        output: "Result<Receipt, ShopError>",
        body: "Ok(Receipt { number: order.number + u64::from(context.attempt()), note })",
    },
    Shape {
        keys: "",
        is_async: false,
        arguments: &[("numbers", "Vec<i64>", false), ("wide", "bool", true)],
        output: "i64",
        body: "if wide { 0 } else { numbers.iter().sum() }",
    },
    Shape {
        keys: "queue = queues::SPECIAL",
        is_async: false,
        arguments: &[("path", "PathBuf", false)],
        output: "std::io::Result<u64>",
        body: "Ok(path.as_os_str().len() as u64)",
    },
    Shape {
        keys: "",
        is_async: true,
        arguments: &[],
        output: "()",
        body: "",
    },
];

/// The source; the last function differs from round to round.
pub(super) fn of(kind: Kind, functions: usize, round: usize) -> String {
    let mut text = String::from(HEAD);
    if kind == Kind::Tasks {
        text.push_str("task_core::queues! { default, special }\n");
    }
    for (index, shape) in SHAPES.iter().cycle().take(functions).enumerate() {
        // Writing into a text does not fail.
        let _ = function(&mut text, kind, index, shape);
    }
    let _ = writeln!(text, "\npub fn last() -> usize {{\n    {round}\n}}");
    text
}

fn function(text: &mut String, kind: Kind, index: usize, shape: &Shape) -> std::fmt::Result {
    writeln!(text, "\n/// Function number {index}.")?;
    match kind {
        Kind::Plain => {}
        Kind::Derived => {
            write!(
                text,
                "#[derive(serde::Serialize, serde::Deserialize)]\npub struct Arguments{index} {{"
            )?;
            for (name, ty, _) in shape.arguments {
                write!(text, "pub {name}: {ty}, ")?;
            }
            writeln!(text, "}}\n")?;
        }
        Kind::Tasks => writeln!(text, "#[task_core::task({})]", shape.keys)?,
    }
    let fn_word = if shape.is_async { "async fn" } else { "fn" };
    write!(text, "pub {fn_word} function_{index}(")?;
    if shape.keys.contains("takes_context") {
        write!(text, "context: task_core::TaskContext, ")?;
    }
    for (name, ty, has_default) in shape.arguments {
        let attribute = if *has_default && kind == Kind::Tasks {
            "#[task(default)] "
        } else {
            ""
        };
        write!(text, "{attribute}{name}: {ty}, ")?;
    }
    writeln!(text, ") -> {} {{\n    {}\n}}", shape.output, shape.body)
}

const HEAD: &str = r#"use std::fmt;
use std::path::PathBuf;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Order {
    pub number: u64,
    pub items: Vec<String>,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    pub number: u64,
    pub note: Option<String>,
}

#[derive(Debug)]
pub struct ShopError;

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shop is closed")
    }
}

impl std::error::Error for ShopError {}
"#;
