//! An auditor as its operator runs it, with the folder in which it keeps what it has seen.

use std::path::PathBuf;

use serde_json::Value;

use super::node::Node;
use crate::files::text;
use crate::{command, free_port, get_text, opencoin};

/// An auditor.
pub(super) struct Auditor {
    pub(super) vkey: String,
    pub(super) port: u16,
    dir: PathBuf,
}

impl Auditor {
    /// Makes its folder and its key.
    pub(super) fn make(dir: PathBuf, name: &str) -> Self {
        let init = ["auditor", "init", "--json", "--name", name, "--dir", text(&dir)];
        let made = opencoin(&init).success().json();
        Self {
            vkey: made["vkey"].as_str().unwrap().to_owned(),
            port: free_port(),
            dir,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets it follow the currency at `issuer`, and starts it. It gossips with `peers`.
    pub(super) fn serve(&self, name: &str, issuer: &str, peers: &[String], is_light: bool) -> Node {
        let _added = opencoin(&["auditor", "add", "--dir", text(&self.dir), issuer]).success();
        let mut arguments = vec![
            "auditor".to_owned(),
            "serve".to_owned(),
            "--dir".to_owned(),
            text(&self.dir).to_owned(),
            "--listen".to_owned(),
            format!("127.0.0.1:{}", self.port),
            "--every".to_owned(),
            "200ms".to_owned(),
        ];
        if is_light {
            arguments.push("--light".to_owned());
        }
        arguments.extend(peers.iter().flat_map(|peer| ["--peer".to_owned(), peer.clone()]));
        Node::start(name, "serving ", move || {
            let mut command = command();
            command.args(&arguments).env("OPENCOIN_LOG", "warn");
            command
        })
    }

    /// What it says of the only currency that it follows.
    pub(super) fn status(&self) -> Value {
        let status: Value = serde_json::from_str(&get_text(&format!("{}/status.json", self.url()))).unwrap();
        status["currencies"][0].clone()
    }
}
