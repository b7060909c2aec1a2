//! Auditors as nodes of the network.

use std::sync::Arc;

use serde_json::Value;

use super::node::Node;
use crate::files::text;
use crate::{Auditor, opencoin};

/// Lets an auditor follow the currency at `issuer`, and starts it. It gossips with `peers`.
pub(super) fn serve(
    auditor: &Arc<Auditor>,
    name: &str,
    issuer: &str,
    peers: &[String],
    is_light: bool,
) -> Node {
    let _added = opencoin(&["auditor", "add", "--dir", text(&auditor.dir()), issuer]).success();
    let mut options = Vec::new();
    if is_light {
        options.push("--light".to_owned());
    }
    options.extend(peers.iter().flat_map(|peer| ["--peer".to_owned(), peer.clone()]));
    let (auditor, issuer) = (Arc::clone(auditor), issuer.to_owned());
    Node::start(name, "serving ", move || {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut command = auditor.command(&[&issuer], &options);
        command.env("OPENCOIN_LOG", "warn");
        command
    })
}

/// What an auditor says of the only currency that it follows.
pub(super) fn status(auditor: &Auditor) -> Value {
    auditor.statuses()[0].clone()
}
