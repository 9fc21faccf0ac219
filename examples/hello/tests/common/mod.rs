//! Runs the program and speaks HTTP with it byte by byte, because what happens to a connection is what is tested.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// A request on a connection that stays open.
pub const GET: &str = "GET / HTTP/1.1\r\nHost: hello\r\n\r\n";

const PATIENCE: Duration = Duration::from_secs(20);

/// The running program; killed when dropped.
pub struct Hello {
    child: Child,
    /// The program's own process, which is not the child when that is `unshare`.
    pid: u32,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
    pub port: u16,
}

impl Hello {
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_unheard(variables).wait_until_listening()
    }

    pub fn start_unheard(variables: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_hello")), variables)
    }

    pub fn start_as_process_1(variables: &[(&str, &str)]) -> Option<Self> {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
            command
        };
        if !unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let mut command = unshare();
        command.arg(env!("CARGO_BIN_EXE_hello"));
        let mut hello = Self::spawn(command, variables).wait_until_listening();
        let parent = hello.child.id();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        hello.pid = children.trim().parse().expect("unshare has one child");
        let status = std::fs::read_to_string(format!("/proc/{}/status", hello.pid)).unwrap();
        let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
        assert_eq!(inside.split_whitespace().last(), Some("1"), "not process 1: {inside}");
        Some(hello)
    }

    fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PORT", "0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = log.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        Self { pid: child.id(), child, log, reader: Some(reader), port: 0 }
    }

    pub fn wait_until_listening(mut self) -> Self {
        self.wait_for("listening on ");
        let log = self.log.lock().unwrap().clone();
        let address = log.split("listening on ").nth(1).unwrap().split(',').next().unwrap();
        self.port = address.rsplit(':').next().unwrap().parse().unwrap();
        self
    }

    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log.lock().unwrap().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end: exit code and log.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "does not end: {:?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        };
        self.reader.take().unwrap().join().unwrap();
        (status.code(), self.log.lock().unwrap().clone())
    }

    pub fn get(&self, path: &str, headers: &[&str]) -> Response {
        let mut connection = Connection::open(self.port);
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        connection.send(&format!("GET {path} HTTP/1.1\r\nHost: hello\r\n{headers}\r\n"));
        connection.response()
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub fn response(&mut self) -> Response {
        let line = self.line();
        let status =
            line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        if let Some(length) = response.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut body).unwrap();
            response.body = String::from_utf8(body).unwrap();
        } else {
            loop {
                let length = usize::from_str_radix(&self.line(), 16).unwrap();
                let mut chunk = vec![0; length + 2];
                self.0.read_exact(&mut chunk).unwrap();
                response.body += std::str::from_utf8(&chunk[..length]).unwrap();
                if length == 0 {
                    break;
                }
            }
        }
        response
    }

    /// Whether the server ends the connection without another byte. A reset is no orderly end.
    pub fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0]).unwrap() == 0
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
