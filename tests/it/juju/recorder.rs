//! A transport that answers from a list and remembers what it was asked.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use kratos_operator::juju::transport::Call;
use kratos_operator::juju::{Agent, CommandOutput, Transport};

/// One command as it reached the transport.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The command and its arguments, joined by one space.
    pub line: String,
    pub args: Vec<String>,
    pub stdin: Option<String>,
    /// The content of the file that an argument `KEY#file=PATH` named.
    pub file: Option<String>,
}

#[derive(Default)]
pub struct Recorder {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<VecDeque<io::Result<CommandOutput>>>,
}

impl Recorder {
    /// An agent over a recorder that succeeds with `stdout` once, and silently from then on.
    pub fn printing(stdout: &str) -> (Arc<Self>, Agent) {
        Self::answering(Ok(CommandOutput { code: 0, stdout: stdout.into(), stderr: Vec::new() }))
    }

    /// An agent over a recorder whose first command fails.
    pub fn failing(code: i32, stderr: &str) -> (Arc<Self>, Agent) {
        Self::answering(Ok(CommandOutput { code, stdout: Vec::new(), stderr: stderr.into() }))
    }

    /// An agent over a recorder with that first answer.
    pub fn answering(answer: io::Result<CommandOutput>) -> (Arc<Self>, Agent) {
        let recorder = Arc::new(Self::default());
        recorder.answers.lock().unwrap().push_back(answer);
        (recorder.clone(), Agent::with_transport(recorder))
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Transport for Recorder {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], stdin: Option<&'a [u8]>) -> Call<'a> {
        let file = args.iter().find_map(|arg| Some(arg.split_once("#file=")?.1));
        self.asked.lock().unwrap().push(Asked {
            line: [&[command], args].concat().join(" "),
            args: args.iter().map(ToString::to_string).collect(),
            stdin: stdin.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()),
            file: file.map(|path| std::fs::read_to_string(path).unwrap()),
        });
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or_else(|| Ok(CommandOutput::default()));
        Box::pin(std::future::ready(answer))
    }
}
