//! Never calls npm: that would reach for the network in every `cargo check`. Only makes the folder exist.

fn main() {
    let dist = std::path::Path::new("../../web/dist");
    if !dist.exists() {
        if let Err(e) = std::fs::create_dir_all(dist) {
            println!("cargo::warning=cannot create web/dist: {e}");
        }
        println!("cargo::warning=built without the web app; `make build` builds it");
    }
    println!("cargo::rerun-if-changed=../../web/dist");
}
