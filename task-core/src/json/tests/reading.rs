//! What is read back, and what is said of what does not fit.

use super::*;

#[test]
fn text_that_is_no_json_is_told_with_its_place() {
    for text in [
        "",
        "{",
        "nul",
        "[1,]",
        "{\"a\" 1}",
        "1 2",
        "\"a",
        "'a'",
        "[NaN]",
        "{\"a\":01}",
    ] {
        let (_, reason) = refused_text(text);
        assert!(
            matches!(&reason, Reason::Other(words) if words.contains("line 1")),
            "{text}: {reason:?}"
        );
    }
}

#[test]
fn a_value_that_does_not_fit_is_told_with_its_place() {
    #[derive(Debug, Deserialize)]
    struct Strict {
        #[expect(dead_code, reason = "only read")]
        name: Positive,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "i64")]
    struct Positive;
    impl TryFrom<i64> for Positive {
        type Error = String;
        fn try_from(number: i64) -> Result<Self, String> {
            Err(format!("{number} is not positive"))
        }
    }
    let misfit = read::<Order>(r#"{"lines":[{"name":"a","price":1},{"name":"b","price":"x"}],"by_name":{}}"#)
        .expect_err("a text is no price");
    assert_eq!(misfit.path.to_string(), "lines[1].price");
    assert_eq!(misfit.message, "invalid type: string \"x\", expected f64");
    let misfit = read::<Order>(r#"{"lines":[{"name":"a"}]}"#).expect_err("no price");
    assert_eq!(
        (misfit.path.to_string().as_str(), misfit.message.as_str()),
        ("lines[0]", "missing field `price`")
    );
    let misfit = read::<Strict>(r#"{"name":-1}"#).expect_err("not positive");
    assert_eq!(
        (misfit.path.to_string().as_str(), misfit.message.as_str()),
        ("name", "-1 is not positive")
    );
    let misfit = read::<Order>(r#"{"lines":["#).expect_err("half of it");
    assert!(misfit.message.contains("line 1 column"), "{}", misfit.message);
    let misfit = read::<u8>("1 2").expect_err("more than one");
    assert!(
        misfit.path.is_empty() && misfit.message.contains("trailing"),
        "{}",
        misfit.message
    );
}

#[test]
fn numbers_come_back_to_the_last_bit() {
    #[track_caller]
    fn comes_back<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        let text = write(value, ROOM).expect("accepted");
        check(&text).expect("the same as text");
        assert_eq!(&read::<T>(&text).expect("its own text"), value, "{text}");
    }
    comes_back(&(i128::MIN, i128::MAX, u128::MAX, i64::MIN, u64::MAX));
    let floats = [
        1.0,
        -0.0,
        0.1,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        1e23,
        9_007_199_254_740_993.0,
    ];
    comes_back(&floats);
    for float in floats {
        let text = write(&float, ROOM).expect("accepted");
        assert_eq!(
            read::<f64>(&text).expect("its own text").to_bits(),
            float.to_bits(),
            "{text}"
        );
        assert!(text.contains(['.', 'e']), "{text} is a float still");
    }
    for float in [
        0.1_f32,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-45,
        16_777_217.0,
        -0.0,
        8.589_973e9,
    ] {
        let text = write(&float, ROOM).expect("accepted");
        assert_eq!(
            read::<f32>(&text).expect("its own text").to_bits(),
            float.to_bits(),
            "{text}"
        );
    }
}

#[test]
fn blanks_between_parts_go_and_those_in_texts_stay() {
    assert_eq!(
        compact(" [ 1 , \"a \\\" b\\\\\" , { } ]\r\n\t"),
        "[1,\"a \\\" b\\\\\",{}]"
    );
}
