//! The command line of xtask.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_fixtures_are_up_to_date() {
    let output = xtask(&["fixtures", "--check"]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
}

#[test]
fn help_lists_every_command() {
    let output = xtask(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for command in [
        "setup",
        "test",
        "otel",
        "fixtures",
        "fixtures --check",
        "torture OPTIONS",
        "lanes OPTIONS",
        "timing OPTIONS",
        "deb",
        "deb --check",
        "help",
    ] {
        assert!(
            help.lines()
                .any(|line| line.trim_start().starts_with(&format!("{command}  "))),
            "{command} in {help}"
        );
    }
}

#[test]
fn an_unknown_command_is_named_and_the_exit_code_is_2() {
    for arguments in [&["tset"][..], &["test", "--fast"], &["fixtures", "check"]] {
        let output = xtask(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(&format!("no such command: {}", arguments.join(" "))),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(xtask(&[]).status.code(), Some(2));
}
