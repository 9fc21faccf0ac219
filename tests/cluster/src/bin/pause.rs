//! The program that holds a pod's namespaces open. Built by `pause.rs` with plain `rustc`, so it uses std only.
//!
//! It needs no signal handling: the runtime ends it with SIGKILL once the pod's containers are gone.

fn main() {
    loop {
        std::thread::park();
    }
}
