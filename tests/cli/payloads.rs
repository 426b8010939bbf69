//! What may stand in the JSON that a person types, and what becomes of its numbers.

use super::enqueue;
use crate::system::Site;

#[tokio::test]
async fn json_that_no_store_can_keep_is_refused_with_its_path_and_nothing_is_stored() {
    let site = Site::new();
    let deep = format!(r#"{{"value": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    for (arguments, complaint) in [
        (
            r#"{"value": {"a": ["x", "\u0000"]}}"#,
            "argument `value.a[1]` of `conformance::same_json` contains the character U+0000",
        ),
        (
            r#"{"value": {"a": 1, "b": 2, "a": 3}}"#,
            "argument `value.a` of `conformance::same_json` is there twice",
        ),
        (
            r#"{"value": 1, "value": 2}"#,
            "argument `value` of `conformance::same_json` is there twice",
        ),
        (r#"{"value": [1e999]}"#, "argument `value[0]`"),
        (r#"{"value": "\ud800"}"#, "argument `value`"),
        (deep.as_str(), "more than 100 levels deep"),
    ] {
        let said = site.run(&["enqueue", "conformance::same_json", arguments]).await;
        said.exits_with(1).complains(&[complaint]);
    }
    let order = r#"{"order": {"lines": [{"name": "tea", "price": 1}, {"name": "jam", "price": "2"}]}}"#;
    let said = site.run(&["enqueue", "conformance::total", order]).await;
    said.exits_with(1).complains(&[
        "`conformance::total` cannot be called with these arguments: argument `order.lines[1].price`: \
         invalid type: string \"2\", expected f64",
    ]);
    let list = site.run(&["list", "--json"]).await.exits_with(0).json();
    assert_eq!(list["tasks"], serde_json::json!([]));
}

#[tokio::test]
async fn large_integers_are_stored_and_shown_to_the_last_digit() {
    let site = Site::new();
    let numbers = format!("[{},{},[1.0,-0.0,1e23],[0.1]]", i128::MIN, u128::MAX);
    let typed = format!("{{\n  \"numbers\": {numbers}\n}}");
    let id = enqueue(&site, "conformance::same_numbers", &typed, &[]).await;
    let arguments = format!(r#""arguments":{{"numbers":{numbers}}}"#);
    for command in [&["show", &id, "--json"][..], &["list", "--json"]] {
        let said = site.run(command).await.exits_with(0);
        assert!(said.line().contains(&arguments), "{said:#?}");
    }
    site.run(&["run", "--batch"]).await.exits_with(0);
    let value = format!(r#""return_value":{}"#, numbers.replace("1e23", "1e+23"));
    for command in [
        &["show", &id, "--json"][..],
        &["wait", &id, "--json"],
        &["list", "--json"],
    ] {
        let said = site.run(command).await.exits_with(0);
        assert!(said.line().contains(&value), "{value}: {said:#?}");
    }
}
