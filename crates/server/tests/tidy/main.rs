//! The house rules as tests. Each rule says what to do when it is broken; the lists of exceptions only ever shrink.
//!
//! They read the sources as text, so this program links nothing of the server and is built in a second.

mod arrows;
mod documents;
mod names;
mod purity;
mod shape;
mod source;

/// Fails with every broken rule at once, and with what to do.
fn report(broken: &[String], advice: &str) {
    assert!(broken.is_empty(), "\n{}\n\n{advice}\n", broken.join("\n"));
}
