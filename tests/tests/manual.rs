//! Shell completions, and a manual page for every command.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use opencoin_e2e::files::names;
use opencoin_e2e::opencoin;

/// The subcommands that a command's help lists.
fn commands_below(command: &[&str]) -> Vec<String> {
    let help = opencoin(&[command, &["--help"]].concat()).success().stdout;
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    // Names are indented by two columns; longer indentation continues a description.
    let named = listed
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '));
    named
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn pages_needed(command: &[&str], pages: &mut BTreeSet<String>) {
    pages.insert(format!("{}.1", [&["opencoin"], command].concat().join("-")));
    for below in commands_below(command) {
        pages_needed(&[command, &[below.as_str()]].concat(), pages);
    }
}

/// The text of a page as `man` shows it. `man` must report no warning.
fn rendered(page: &Path) -> String {
    let output = Command::new("man")
        .args(["--warnings", "-l"])
        .arg(page)
        .env("MANWIDTH", "100")
        .output()
        .unwrap();
    let (text, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.is_empty(),
        "{}: {said}",
        page.display()
    );
    text.into_owned()
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share").join("man1");
    let named = opencoin(&["man", "--dir", dir.to_str().unwrap()])
        .success()
        .stdout;
    let written = names(&dir);
    let mut needed = BTreeSet::new();
    pages_needed(&[], &mut needed);
    assert!(needed.contains("opencoin-wallet-mint.1"), "{needed:?}");
    assert_eq!(written, needed);
    assert_eq!(named.lines().count(), needed.len());
    let page = rendered(&dir.join("opencoin-wallet-mint.1"));
    for text in ["opencoin wallet mint", "--token-file", "OPENCOIN_TOKEN"] {
        let words: Vec<&str> = page.split_whitespace().collect();
        assert!(words.join(" ").contains(text), "{text} in {page}");
    }
    rendered(&dir.join("opencoin.1"));
    let own = opencoin(&["man"]).success().stdout;
    assert_eq!(own, std::fs::read_to_string(dir.join("opencoin.1")).unwrap());
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    // The reader ends before anything is written.
    let script = r#""$0" "$@" | true; echo "${PIPESTATUS[0]}""#;
    for arguments in [
        &["man"][..],
        &["completions", "bash"],
        &["--help"],
        &["inspect", "--help"],
    ] {
        let mut bash = Command::new("bash");
        let program = opencoin_e2e::command();
        let output = bash
            .args(["-c", script])
            .arg(program.get_program())
            .args(arguments)
            .output()
            .unwrap();
        let said = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(said, ("0\n".into(), "".into()), "{arguments:?}");
    }
}

#[test]
fn shells_accept_the_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = opencoin(&["completions", shell]).success().stdout;
        assert!(
            script.contains("recoup") && script.contains("opencoin"),
            "{shell}"
        );
    }
    let script = opencoin(&["completions", "bash"]).success().stdout;
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success(), "bash rejects the completions");
    let _ = opencoin(&["completions", "tcsh"]).refused(2, "bash");
}
