//! What Go's net/rpc accepts, what it refuses and how: each row of the table was measured on a Go server.

use std::time::Duration;

use sandbox::agent::{Client, Reply, Request};
use sandbox::gob::{Decoder, Encoder, Field, StructType, Value, id, read_message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{Agent, CONTEXT, exit, request};

const CALL: StructType =
    StructType { name: "Request", fields: &[("ServiceMethod", id::STRING), ("Seq", id::UINT)] };
const ANSWER: StructType = StructType {
    name: "",
    fields: &[("ServiceMethod", id::STRING), ("Seq", id::UINT), ("Error", id::STRING)],
};

fn method(name: &str) -> [Field<'_>; 1] {
    [Field::Bytes(name.as_bytes())]
}

const MAIN: [Field<'static>; 1] = [Field::Bytes(b"Jujuc.Main")];

/// The next answer's number and error, its body read away; `None` when the agent closed the connection.
async fn answer(stream: &mut BufReader<UnixStream>, decoder: &mut Decoder) -> Option<(u64, String)> {
    let mut values: Vec<Value> = Vec::new();
    while values.len() < 2 {
        let message = tokio::time::timeout(Duration::from_secs(20), read_message(stream)).await.unwrap();
        values.extend(decoder.message(&message.ok().flatten()?).unwrap());
    }
    let mut header = values.swap_remove(0).into_struct(&ANSWER).unwrap();
    Some((header.uint("Seq").unwrap(), header.string("Error").unwrap()))
}

/// Sends bytes on a connection of their own; the error of the first answer.
async fn send(agent: &Agent, bytes: &[u8]) -> Option<String> {
    let mut stream = BufReader::new(agent.stream().await);
    stream.write_all(bytes).await.unwrap();
    answer(&mut stream, &mut Decoder::default()).await.map(|(_, error)| error)
}

/// A call whose body has these types and values.
fn call(header_id: i64, body_id: i64, strings_id: i64, kind: &StructType, fields: &[Field<'_>]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.value(header_id, &CALL, &MAIN);
    encoder.define_strings(strings_id);
    encoder.value(body_id, kind, fields);
    encoder.take()
}

#[tokio::test]
async fn any_ids_names_order_and_subset_of_fields_are_accepted() {
    const FULL: &[(&str, i64)] = &[
        ("ContextId", id::STRING),
        ("Dir", id::STRING),
        ("CommandName", id::STRING),
        ("Args", 3000),
        ("StdinSet", id::BOOL),
        ("Stdin", id::BYTES),
    ];
    const FOUR: &[(&str, i64)] =
        &[("Args", 3000), ("CommandName", id::STRING), ("ContextId", id::STRING), ("Dir", id::STRING)];
    const EXTRA: &[(&str, i64)] = &[
        ("Weight", id::FLOAT),
        ("ContextId", id::STRING),
        ("Labels", 3000),
        ("Dir", id::STRING),
        ("CommandName", id::STRING),
    ];
    let agent = Agent::start();
    let context = Field::Bytes(CONTEXT.as_bytes());
    let labels = ["one".to_owned(), "two".to_owned()];
    let args = ["log-level".to_owned()];
    for (name, fields, values) in [
        (
            "Other",
            FULL,
            vec![context, Field::Bytes(b"/"), Field::Bytes(b"echo"), Field::Strings(&[]), Field::Bool(true)],
        ),
        ("", FOUR, vec![Field::Strings(&args), Field::Bytes(b"config-get"), context, Field::Bytes(b"/")]),
        (
            "R",
            EXTRA,
            vec![Field::Uint(1), context, Field::Strings(&labels), Field::Bytes(b"/"), Field::Bytes(b"noop")],
        ),
    ] {
        let bytes = call(1000, 2000, 3000, &StructType { name, fields }, &values);
        assert_eq!(send(&agent, &bytes).await, Some(String::new()), "{name}");
    }
    let seen = agent.commands.seen.lock().unwrap().clone();
    assert_eq!(seen[0], Request { stdin: Some(Vec::new()), ..request("echo", &[]) });
    assert_eq!(seen[1], request("config-get", &["log-level"]));
    assert_eq!(seen[2], request("noop", &[]));
}

#[tokio::test]
async fn zeros_that_are_written_out_and_single_bytes_are_accepted() {
    const BODY: StructType = StructType {
        name: "Request",
        fields: &[
            ("StdinSet", id::BOOL),
            ("Args", 66),
            ("ContextId", id::STRING),
            ("Dir", id::STRING),
            ("CommandName", id::STRING),
        ],
    };
    let agent = Agent::start();
    let mut encoder = Encoder::default();
    encoder.value(64, &CALL, &MAIN);
    encoder.define_struct(65, &BODY);
    encoder.define_strings(66);
    let mut bytes = encoder.take();
    let mut value = vec![0xff, 0x82, 1, 0, 1, 0, 1, 23];
    value.extend(CONTEXT.as_bytes());
    value.extend(b"\x01\x01/\x01\x04noop\0");
    bytes.push(u8::try_from(value.len()).unwrap());
    bytes.extend(value);

    let mut stream = BufReader::new(agent.stream().await);
    for byte in bytes {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(answer(&mut stream, &mut Decoder::default()).await, Some((0, String::new())));
    assert_eq!(*agent.commands.seen.lock().unwrap(), [request("noop", &[])]);
}

#[tokio::test]
async fn calls_that_cannot_be_answered_get_an_error_and_the_next_call_works() {
    const UINT_DIR: StructType =
        StructType { name: "Request", fields: &[("ContextId", id::STRING), ("Dir", id::UINT)] };
    const STRANGE: StructType = StructType { name: "Request", fields: &[("Colour", id::STRING)] };
    let good = [Field::Bytes(CONTEXT.as_bytes()), Field::Bytes(b"/"), Field::Bytes(b"noop")];
    const GOOD: StructType = StructType {
        name: "Request",
        fields: &[
            ("ContextId", id::STRING),
            ("Dir", id::STRING),
            ("CommandName", id::STRING),
            ("Token", id::STRING),
        ],
    };
    let with = |index: usize, value: &'static [u8]| {
        let mut fields = good.to_vec();
        fields.resize(4, Field::Uint(0));
        fields[index] = Field::Bytes(value);
        fields
    };
    let undefined = |encoder: &mut Encoder| {
        // The body of a type that was never announced: id 70, no field set.
        let mut bytes = encoder.take();
        bytes.extend([3, 0xff, 0x8c, 0]);
        bytes
    };
    let typed = |kind: StructType, fields: Vec<Field<'static>>| {
        move |encoder: &mut Encoder| {
            encoder.value(71, &kind, &fields);
            encoder.take()
        }
    };
    type Body<'a> = Box<dyn Fn(&mut Encoder) -> Vec<u8> + 'a>;
    let rows: Vec<(&str, Body<'_>, &str)> = vec![
        ("Jujuc.Main", Box::new(undefined), "gob: unknown type id or corrupted data"),
        (
            "Jujuc.Main",
            Box::new(typed(UINT_DIR, vec![Field::Bytes(b"x"), Field::Uint(1)])),
            "gob: wrong type (string) for received field Request.Dir",
        ),
        (
            "Jujuc.Main",
            Box::new(typed(STRANGE, vec![Field::Bytes(b"red")])),
            "gob: type mismatch: no fields matched compiling decoder for Request",
        ),
        ("Nope.Main", Box::new(typed(GOOD, good.to_vec())), "rpc: can't find service Nope.Main"),
        ("Jujuc.Nope", Box::new(typed(GOOD, good.to_vec())), "rpc: can't find method Jujuc.Nope"),
        ("Main", Box::new(typed(GOOD, good.to_vec())), "rpc: service/method request ill-formed: Main"),
        ("Jujuc.Main", Box::new(typed(GOOD, with(3, b"t"))), "bad request: token does not match"),
        ("Jujuc.Main", Box::new(typed(GOOD, with(2, b""))), "bad request: command not specified"),
        ("Jujuc.Main", Box::new(typed(GOOD, with(1, b"relative"))), "bad request: Dir is not absolute"),
        ("Jujuc.Main", Box::new(typed(GOOD, with(2, b"dance"))), "bad request: unknown command: dance"),
        (
            "Jujuc.Main",
            Box::new(typed(GOOD, with(0, b"other"))),
            "bad request: wrong context ID; got \"other\"",
        ),
    ];
    let agent = Agent::start();
    for (service, body, expected) in rows {
        let mut stream = BufReader::new(agent.stream().await);
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        encoder.value(64, &CALL, &method(service));
        stream.write_all(&body(&mut encoder)).await.unwrap();
        assert_eq!(answer(&mut stream, &mut decoder).await, Some((0, expected.to_owned())));

        encoder.value(64, &CALL, &[MAIN[0], Field::Uint(1)]);
        encoder.value(90, &GOOD, &good);
        stream.write_all(&encoder.take()).await.unwrap();
        assert_eq!(answer(&mut stream, &mut decoder).await, Some((1, String::new())), "after {expected}");
    }
}

#[tokio::test]
async fn a_reserved_type_id_and_nonsense_end_the_connection_without_a_word() {
    let agent = Agent::start();
    let kind = StructType { name: "Request", fields: &[("Dir", id::STRING)] };
    let reserved_body = call(64, 63, 66, &kind, &[Field::Bytes(b"/")]);
    let reserved_header = call(40, 65, 66, &kind, &[Field::Bytes(b"/")]);
    let endless_length = [0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2];
    for bytes in [&reserved_body[..], &reserved_header, &endless_length, &[0], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = agent.stream().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        // Closing with unread bytes may also reset the connection.
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, [0u8; 0], "{bytes:?}");
    }
    assert_eq!(agent.call(&request("noop", &[])).await, exit(0, b"", ""));
}

#[tokio::test]
async fn calls_written_at_once_are_all_answered() {
    let agent = Agent::start();
    let mut stream = BufReader::new(agent.stream().await);
    let kind = StructType {
        name: "Request",
        fields: &[("ContextId", id::STRING), ("Dir", id::STRING), ("CommandName", id::STRING)],
    };
    let mut encoder = Encoder::default();
    for number in 0..20 {
        encoder.value(64, &CALL, &[MAIN[0], Field::Uint(number)]);
        encoder.value(
            65,
            &kind,
            &[Field::Bytes(CONTEXT.as_bytes()), Field::Bytes(b"/"), Field::Bytes(b"noop")],
        );
    }
    stream.write_all(&encoder.take()).await.unwrap();
    let mut decoder = Decoder::default();
    let mut answered = Vec::new();
    for _ in 0..20 {
        let (number, error) = answer(&mut stream, &mut decoder).await.unwrap();
        assert_eq!(error, "");
        answered.push(number);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_command_runs_at_a_time_whatever_the_number_of_connections() {
    let agent = std::sync::Arc::new(Agent::start());
    let calls = (0..8).map(|_| {
        let agent = std::sync::Arc::clone(&agent);
        tokio::spawn(async move {
            let mut client = Client::connect(&agent.socket).await.unwrap();
            for _ in 0..25 {
                assert_eq!(client.call(&request("is-leader", &[])).await.unwrap(), exit(0, b"", ""));
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(agent.commands.most.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(agent.commands.seen.lock().unwrap().len(), 200);
}

#[tokio::test]
async fn large_input_and_output_pass() {
    let agent = Agent::start();
    let large: Vec<u8> = (0..20_000_000u32).map(|number| number.to_le_bytes()[0]).collect();
    let reply = agent.call(&Request { stdin: Some(large.clone()), ..request("echo", &[]) }).await;
    let Reply::Exit { code: 0, stdout, .. } = reply else { panic!("the command failed") };
    assert!(stdout == large);
}

#[test]
fn damaged_messages_are_errors() {
    let mut encoder = Encoder::default();
    encoder.define_strings(66);
    let definition = encoder.take()[1..].to_vec();
    for length in 0..definition.len() {
        assert!(Decoder::default().message(&definition[..length]).is_err(), "{length} bytes");
    }
    // Every byte replaced by every value: an error or some definition, but never a panic or an endless loop.
    let mut errors = 0;
    for position in 0..definition.len() {
        for value in 0..=255 {
            let mut damaged = definition.clone();
            damaged[position] = value;
            errors += usize::from(Decoder::default().message(&damaged).is_err());
        }
    }
    assert!(errors > 1000, "only {errors} of the damaged messages were noticed");
    // A list of lists of itself would nest without end.
    let mut decoder = Decoder::default();
    decoder.message(&[0xff, 0x83, 2, 2, 0xff, 0x84, 0, 0]).unwrap();
    let nested: Vec<u8> = [0xff, 0x84, 0].into_iter().chain([1; 100]).collect();
    assert_eq!(decoder.message(&nested).unwrap_err().kind(), "too-deep");
}
