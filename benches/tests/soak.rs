//! The soak in short, on an embedded store: the rate holds, and neither memory nor file grows.

use std::process::Command;

fn soak(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command
        .arg("soak")
        .args(flags)
        .output()
        .expect("the program is there");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (said, complained) = (text(output.stdout), text(output.stderr));
    println!("{said}\n{complained}");
    assert!(output.status.success(), "{said}\n{complained}");
    said
}

#[test]
fn at_half_the_peak_nothing_grows_and_nothing_slows() {
    // How quick a machine is changes while other tests run on it.
    let said = soak(&["--seconds", "24", "--every", "2", "--tolerance", "40"]);
    assert!(said.contains("verdict: nothing grew, nothing slowed"), "{said}");
    assert!(
        said.lines().filter(|line| line.starts_with("| ")).count() >= 10,
        "{said}"
    );
}
