//! Conversations between Juju's own program and a Go server, repeated by both of our ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sandbox::agent::{Client, Handler, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::{Agent, CONTEXT, Commands, request};

/// One turn: what the client wrote, what the agent answered.
type Turn = (String, String);

/// `config-get --format=json log-level` and its answer.
const CONFIG: (&str, &str) = (
    "2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c00010353657101060000000fff80\
     010a4a756a75632e4d61696e0066ff81030101075265717565737401ff820001070109436f6e746578744964010c00010344\
     6972010c00010b436f6d6d616e644e616d65010c0001044172677301ff84000108537464696e536574010200010553746469\
     6e010a000105546f6b656e010c00000016ff83020101085b5d737472696e6701ff8400010c000045ff820117746573742f30\
     2d636f6e6669672d6368616e6765642d3101012f010a636f6e6669672d67657401020d2d2d666f726d61743d6a736f6e096c\
     6f672d6c6576656c00",
    "397f03010108526573706f6e736501ff80000103010d536572766963654d6574686f64010c00010353657101060001054572\
     726f72010c0000000fff80010a4a756a75632e4d61696e0039ff810301010c45786563526573706f6e736501ff8200010301\
     04436f646501040001065374646f7574010a000106537464657272010a0000000cff82020722696e666f220a00",
);

/// A call with a wrong context: the empty struct of the error is the first body of this agent.
const WRONG_CONTEXT: (&str, &str) = (
    "2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c00010353657101060000000fff80\
     010a4a756a75632e4d61696e0066ff81030101075265717565737401ff820001070109436f6e746578744964010c00010344\
     6972010c00010b436f6d6d616e644e616d65010c0001044172677301ff84000108537464696e536574010200010553746469\
     6e010a000105546f6b656e010c00000016ff83020101085b5d737472696e6701ff8400010c000012ff8201046e6f70650101\
     2f01046563686f00",
    "397f03010108526573706f6e736501ff80000103010d536572766963654d6574686f64010c00010353657101060001054572\
     726f72010c0000003aff80010a4a756a75632e4d61696e022962616420726571756573743a2077726f6e6720636f6e746578\
     742049443b20676f7420226e6f706522000aff81030102ff8200000003ff8200",
);

/// Plays the client's turns to our agent and demands the recorded answers; the requests that the agent understood.
async fn replay(name: &str, turns: &[Turn]) -> Vec<Request> {
    let agent = Agent::start();
    // Recorded ids depend on which kind of answer that agent had given first to anybody.
    let first = &turns[0].1;
    if first.contains("ff830301") {
        let error_first = first.contains(&hex(b"ExecResponse"));
        let context_id = if error_first { "nope" } else { CONTEXT };
        agent.call(&Request { context_id: context_id.into(), ..request("noop", &[]) }).await;
    }
    agent.commands.seen.lock().unwrap().clear();
    let mut stream = agent.stream().await;
    for (sent, expected) in turns {
        stream.write_all(&bytes(sent)).await.unwrap();
        let mut answer = vec![0; expected.len() / 2];
        tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&hex(&answer), expected, "{name}");
    }
    agent.commands.seen.lock().unwrap().clone()
}

/// Lets our client make the same calls to an agent that plays the recorded answers, and compares what it sends.
async fn replay_client(name: &str, turns: Vec<Turn>, requests: &[Request]) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("agent.socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let agent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for (expected, answer) in turns {
            let mut sent = vec![0; expected.len() / 2];
            stream.read_exact(&mut sent).await.unwrap();
            assert_eq!(hex(&sent), expected);
            stream.write_all(&bytes(&answer)).await.unwrap();
        }
    });
    let mut client = Client::connect(&socket).await.unwrap();
    let commands = Commands::default();
    for request in requests {
        let expected = commands.call(request.clone()).await;
        assert_eq!(client.call(request).await.unwrap(), expected, "{name}");
    }
    agent.await.unwrap();
}

#[tokio::test]
async fn the_bytes_are_those_of_the_real_programs() {
    for (name, (sent, answer)) in [("config", CONFIG), ("wrong context", WRONG_CONTEXT)] {
        let turns = vec![(sent.to_owned(), answer.to_owned())];
        let requests = replay(name, &turns).await;
        replay_client(name, turns, &requests).await;
    }
}

#[tokio::test]
async fn all_recorded_conversations_are_repeated() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recordings/jujuc");
    let mut replayed = 0;
    for entry in fs::read_dir(recordings).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let chunks: Vec<serde_json::Value> =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let text = |chunk: &serde_json::Value| chunk["hex"].as_str().unwrap().to_owned();
        let turns: Vec<Turn> = chunks.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        let requests = replay(&name, &turns).await;
        // Our client has no token to send.
        if name != "cap-token" {
            replay_client(&name, turns, &requests).await;
        }
        replayed += 1;
    }
    assert!(replayed >= 10, "only {replayed} recordings");
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
