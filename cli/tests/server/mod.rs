//! An API server with one app, for the program itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

use crate::fixture::{settled, switching};

/// What the API server does with an edit.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It stores the edit and answers.
    Given,
    /// It stores the edit, and the connection is lost.
    LostAfter,
    /// The connection is lost before it stores the edit.
    LostBefore,
    /// It stores the edit and says that it does not know.
    Timeout,
}

/// An API server with one app, on which a switch to green never ends.
pub struct Server {
    app: Value,
    answers: Vec<Answer>,
    edits: usize,
    /// What is in the namespace, by plural; none where the user may not list that.
    pub lists: BTreeMap<&'static str, Option<Value>>,
    /// The plurals that were listed, with the query.
    pub listed: Vec<String>,
}

impl Server {
    /// Blue is live and green was before; each edit gets the next of `answers`.
    fn with(answers: &[Answer]) -> Self {
        let mut app = settled();
        app["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Apply"}]);
        Self { app, answers: answers.to_vec(), edits: 0, lists: BTreeMap::new(), listed: Vec::new() }
    }

    /// The app as it is now, and what the user may list.
    pub fn of(app: Value, lists: BTreeMap<&'static str, Option<Value>>) -> Self {
        Self { app, lists, ..Self::with(&[]) }
    }

    /// With what it does with each edit.
    pub fn answering(self, answers: &[Answer]) -> Self {
        Self { answers: answers.to_vec(), ..self }
    }

    /// How many edits came.
    pub const fn edits(&self) -> usize {
        self.edits
    }

    fn start(self) -> (Arc<Mutex<Self>>, String) {
        let server = Arc::new(Mutex::new(self));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                shared.lock().unwrap().serve(&stream.unwrap());
            }
        });
        (server, address)
    }

    fn serve(&mut self, mut stream: &TcpStream) {
        let Some((method, path, body)) = request(stream) else { return };
        let (code, answer) = match method.as_str() {
            "GET" if !path.ends_with("/bluegreenapps/hello") => self.list(&path),
            "PATCH" => {
                self.edits += 1;
                let answer = self.answers.get(self.edits - 1).copied().unwrap();
                if matches!(answer, Answer::LostBefore) {
                    return;
                }
                if body["metadata"]["resourceVersion"] != self.app["metadata"]["resourceVersion"] {
                    (409, json!({"kind": "Status", "status": "Failure", "code": 409, "message": "modified"}))
                } else {
                    self.store(body["spec"].clone());
                    match answer {
                        Answer::Given => (200, self.app.clone()),
                        Answer::LostAfter | Answer::LostBefore => return,
                        Answer::Timeout => {
                            (504, json!({"kind": "Status", "status": "Failure", "code": 504, "message": "?"}))
                        }
                    }
                }
            }
            _ => (200, self.app.clone()),
        };
        let answer = answer.to_string();
        let head = "Content-Type: application/json\r\nConnection: close";
        // The program may be gone by now.
        let _ =
            write!(stream, "HTTP/1.1 {code} X\r\n{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    }

    fn list(&mut self, path: &str) -> (u16, Value) {
        let asked = path.rsplit('/').next().unwrap_or_default();
        self.listed.push(asked.to_owned());
        let plural = asked.split('?').next().unwrap_or_default();
        match self.lists.get(plural) {
            None if plural == "bluegreenapps" => (200, json!({"metadata": {}, "items": [self.app]})),
            None => (200, json!({"metadata": {}, "items": []})),
            Some(Some(items)) => (200, json!({"metadata": {}, "items": items})),
            Some(None) => {
                (403, json!({"kind": "Status", "status": "Failure", "code": 403, "message": "forbidden"}))
            }
        }
    }

    /// Stores an edit, and reports as the operator would.
    fn store(&mut self, patch: Value) {
        self.app["spec"].merge_from(patch);
        let is_blue = self.app["spec"]["active"] == "blue";
        let mut status = if is_blue { settled() } else { switching() }["status"].take();
        let generation = self.app["metadata"]["generation"].as_i64().unwrap() + 1;
        status["observedGeneration"] = json!(generation);
        self.app["metadata"]["generation"] = json!(generation);
        self.app["metadata"]["resourceVersion"] = json!(generation.to_string());
        self.app["status"] = status;
    }
}

/// The method, the path and the body of a request; none where nothing was sent.
fn request(stream: &TcpStream) -> Option<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let length = lines.iter().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut first = lines[0].split(' ');
    let (method, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    Some((method, path, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Runs a command on that server; returns the output, `spec.active` and the number of edits after it.
pub fn run(name: &str, answers: &[Answer], arguments: &[&str]) -> (Output, Value, usize) {
    let (output, server) = run_on(name, Server::with(answers), arguments);
    (output, server.app["spec"]["active"].clone(), server.edits)
}

/// Runs a command on this server; returns the output, and the server after it.
pub fn run_on(name: &str, server: Server, arguments: &[&str]) -> (Output, Server) {
    let (mut command, server) = prepare(name, server, arguments);
    let output = command.output().unwrap();
    let server = std::mem::replace(&mut *server.lock().unwrap(), Server::with(&[]));
    (output, server)
}

/// A command on this server, and the server.
pub fn prepare(name: &str, server: Server, arguments: &[&str]) -> (Command, Arc<Mutex<Server>>) {
    let (server, address) = server.start();
    let kubeconfig = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.kubeconfig"));
    let text = format!(
        "{{clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}], users: [{{name: u, user: {{}}}}], \
         contexts: [{{name: c, context: {{cluster: c, user: u, namespace: shop}}}}], current-context: c}}"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-bluegreen"));
    command.args(arguments).arg("--kubeconfig").arg(&kubeconfig);
    (command, server)
}
