//! What can be said of the image without building it, which takes Docker and its registry.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::super::harness::*;
use super::{BINARY, file, folder};

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<String> {
    let text = file("docker/Dockerfile", &[]).replace("\\\n", " ");
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// What an instruction says behind its name.
fn behind<'a>(lines: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(' '))
}

#[test]
fn what_it_copies_is_there_and_is_enough_for_cargo() {
    let root = folder().join("..");
    let lines = instructions();
    let context = std::env::temp_dir().join(format!("deskbell-context-{}", std::process::id()));
    for copied in behind(&lines, "COPY").filter(|copied| !copied.starts_with("--from")) {
        let names: Vec<_> = copied.split(' ').collect();
        let (to, from) = names.split_last().unwrap();
        for name in from {
            let target = context.join(if *to == "./" { name } else { to });
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let done = Command::new("cp").arg("-r").arg(root.join(name)).arg(&target).status().unwrap();
            assert!(done.success(), "there is no {name}");
        }
    }
    // Cargo sees a workspace with everything that it names, and needs no other lock.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let done = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version=1"])
        .current_dir(&context)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::remove_dir_all(&context).unwrap();
}

#[test]
fn its_compiler_is_the_one_that_the_project_asks_for() {
    let manifest = std::fs::read_to_string(folder().join("../Cargo.toml")).unwrap();
    let version = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(behind(&instructions(), "FROM").any(|from| from.starts_with(&format!("rust:{version}-"))));
}

#[test]
fn its_variables_are_options_and_its_check_of_health_works() {
    let lines = instructions();
    let server = Server::dev();
    let words: Vec<_> = behind(&lines, "ENV").flat_map(|line| line.split(' ')).collect();
    let variables: Vec<_> = words.iter().filter_map(|word| word.split_once('=')).collect();
    assert_eq!(
        variables.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["DESKBELL_LISTEN", "DESKBELL_DATA"]
    );
    let data = server.data.join("of-the-image");
    std::fs::create_dir_all(&data).unwrap();
    let mut check = Command::new(BINARY);
    check.arg("check").current_dir(&data).envs(variables).env("DESKBELL_DATA", &data);
    let done = check.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let health = behind(&lines, "HEALTHCHECK").next().unwrap();
    let command: Vec<String> = serde_json::from_str(&health[health.find('[').unwrap()..]).unwrap();
    assert_eq!(command[0], "deskbell");
    let run = |port: &str| {
        let arguments = command[1..].iter().map(|word| word.replace("8080", port));
        Command::new(BINARY).args(arguments).output().unwrap().status.success()
    };
    assert!(run(&server.address.port().to_string()));
    assert!(!run("9"), "nobody is there");
}

/// Compose's own program reads the file, and knows every service by its parts.
#[test]
fn compose_reads_its_file() {
    let done = Command::new("docker-compose")
        .args(["-f", folder().join("docker/compose.yaml").to_str().unwrap(), "config", "--services"])
        .output()
        .expect("run setup.sh");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let services = String::from_utf8(done.stdout).unwrap();
    let services: BTreeSet<_> = services.lines().collect();
    assert_eq!(services, BTreeSet::from(["apache", "redis", "websocket"]));
    // What it mounts and builds is there.
    let text = file("docker/compose.yaml", &[]);
    assert!(text.contains("./apache.conf:") && folder().join("docker/apache.conf").exists());
    assert!(
        text.contains("dockerfile: deploy/docker/Dockerfile")
            && Path::new(&folder()).join("docker/Dockerfile").exists()
    );
}
