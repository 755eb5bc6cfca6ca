//! Whatever changes in `model/` is embedded anew, also where two checkouts share a build folder.

fn main() {
    println!("cargo::rerun-if-changed=../../model");
}
