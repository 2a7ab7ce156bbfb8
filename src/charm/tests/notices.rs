//! What Kubernetes has refused is remembered until it is mended: written once, deleted once.

use std::sync::{Arc, Mutex};

use super::*;
use crate::charm::apply::conclude;
use crate::charm::observe::needs;
use crate::charm::observed::{Cluster, Reading};
use crate::juju::transport::Call;
use crate::juju::{Agent, CommandOutput, Transport};
use crate::kubernetes::Error;

/// An agent that notes what is written.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl Transport for Noting {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], stdin: Option<&'a [u8]>) -> Call<'a> {
        let input = String::from_utf8_lossy(stdin.unwrap_or_default()).into_owned();
        self.0.lock().unwrap().push(format!("{command} {} {}", args.join(" "), input.trim()));
        Box::pin(std::future::ready(Ok(CommandOutput::default())))
    }
}

fn refused() -> Error {
    Error::Refused { code: 403, message: "forbidden".to_owned() }
}

/// A unit whose ConfigMaps may not be read.
fn untrusted() -> Observed {
    let config_maps = Reading::Unknown(refused());
    Observed { cluster: Some(Cluster { config_maps, ..Cluster::default() }), ..ready() }
}

/// What a dispatch of these facts ends with writing to the peers.
async fn written(observed: &Observed) -> Vec<String> {
    let agent = Arc::new(Noting::default());
    let status = Status::new(StatusKind::Unknown, "");
    let situation = situation(observed);
    conclude(&Agent::with_transport(agent.clone()), &situation, &Applied::default(), &status).await.unwrap();
    agent.0.lock().unwrap().split_off(0)
}

fn keeps(observed: &mut Observed, notices: &str) {
    observed.peers.as_mut().unwrap().unit.insert("kubernetes_notices".to_owned(), notices.to_owned());
}

#[tokio::test]
async fn a_notice_is_written_once_and_deleted_once() {
    let mut observed = untrusted();
    let line =
        |value: &str| format!("relation-set -r kratos-peers:0 --file - {{\"kubernetes_notices\": {value}}}");
    assert_eq!(written(&observed).await, [line(r#""[\"trust\"]""#)]);
    keeps(&mut observed, r#"["trust"]"#);
    let none: [String; 0] = [];
    assert_eq!(written(&observed).await, none, "it is kept already");
    observed.cluster = Some(Cluster::default());
    assert_eq!(written(&observed).await, [line(r#""""#)], "trust was given");
    assert_eq!(written(&ready()).await, none, "nothing was ever refused");
}

#[tokio::test]
async fn without_peers_nothing_is_kept_and_text_that_is_not_ours_counts_as_none() {
    let observed = Observed { peers: None, ..untrusted() };
    assert!(written(&observed).await.is_empty());
    let mut observed = ready();
    keeps(&mut observed, "juju trust");
    assert!(written(&observed).await.is_empty());
}

#[test]
fn kubernetes_is_asked_again_while_a_notice_is_kept() {
    let is_asked = |observed: &Observed| needs::config_maps(observed, &Parsed::new(observed));
    let mut blocked = Observed { is_leader: false, ..ready() };
    blocked.databases.clear();
    assert!(!is_asked(&blocked), "nothing is configured from the ConfigMaps");
    keeps(&mut blocked, r#"["trust"]"#);
    assert!(is_asked(&blocked), "trust may have been given");
    keeps(&mut blocked, r#"["rolling"]"#);
    assert!(!is_asked(&blocked), "that is about the StatefulSet");

    let is_read =
        |observed: &Observed| needs::stateful_set(observed, &Parsed::new(observed), &Cluster::default());
    let mut limited = Observed { context: context("hooks/smtp-relation-changed"), ..ready() };
    limited.config.insert("cpu".to_owned(), json!("500m"));
    assert!(!is_read(&limited), "the option has not changed");
    for notice in ["rolling", "patch-failed"] {
        keeps(&mut limited, &format!(r#"["{notice}"]"#));
        assert!(is_read(&limited), "{notice}");
    }
    limited.is_leader = false;
    assert!(!is_read(&limited), "it is the leader's");
}

#[test]
fn the_peers_relation_of_a_new_unit_asks_for_what_install_could_not_keep() {
    let mut observed = Observed { context: context("hooks/kratos-peers-relation-created"), ..ready() };
    observed.databases.clear();
    assert!(needs::config_maps(&observed, &Parsed::new(&observed)));
    observed.is_leader = false;
    assert!(!needs::config_maps(&observed, &Parsed::new(&observed)));
}
