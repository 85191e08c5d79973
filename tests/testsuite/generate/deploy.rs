//! `gen dockerfile`: what it writes names the right programs, and is well formed.

use dbsetup::startup::Policy;
use yaml_rust2::{Yaml, YamlLoader};

use super::project_on;
use crate::support::{Postgres, Project, Sqlite, postgres};

/// A project with an application beside its database.
fn with_app(project: Project) -> Project {
    project.file("crates/core/src/bin/web_shop.rs", "fn main() {}\n")
}

fn released(project: Project) -> Project {
    with_app(project).file("crates/core/src/bin/release.rs", "fn main() {}\n")
}

#[track_caller]
fn documents(project: &Project, path: &str) -> Vec<Yaml> {
    let text = project.read(path);
    YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"))
}

/// Returns the lines of a Dockerfile's last stage.
fn last_stage(dockerfile: &str) -> Vec<&str> {
    let from = dockerfile.lines().collect::<Vec<_>>();
    let start = from.iter().rposition(|line| line.starts_with("FROM ")).expect("an image has stages");
    from[start..].iter().copied().filter(|line| !line.starts_with('#')).collect()
}

/// An application's container of pods whose database somebody else makes ready.
#[track_caller]
fn serves_and_never_migrates(container: &Yaml) {
    let variables = container["env"].as_vec().expect("a list");
    let policy = variables.iter().find(|one| one["name"].as_str() == Some("RUN_MIGRATIONS"));
    let policy = policy.and_then(|one| one["value"].as_str()).expect("it has a policy");
    assert_eq!(policy.parse::<Policy>().ok(), Some(Policy::RequireCurrent), "{policy}");
    let port = container["ports"][0]["name"].as_str().expect("the port has a name");
    for probe in ["startupProbe", "readinessProbe"] {
        assert_eq!(container[probe]["tcpSocket"]["port"].as_str(), Some(port), "{probe}: {container:?}");
    }
    assert!(
        container["livenessProbe"].is_badvalue() && container["resources"].is_badvalue(),
        "{container:?}"
    );
    is_closed(container);
}

/// What the `restricted` policy asks of every container: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>.
#[track_caller]
fn is_closed(container: &Yaml) {
    let context = &container["securityContext"];
    assert_eq!(context["runAsNonRoot"].as_bool(), Some(true), "{container:?}");
    assert_eq!(context["allowPrivilegeEscalation"].as_bool(), Some(false), "{container:?}");
    assert_eq!(context["capabilities"]["drop"][0].as_str(), Some("ALL"), "{container:?}");
    assert_eq!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault"), "{container:?}");
    // A tag that is filled in: what `latest` is changes under a pod that is started again.
    assert_eq!(container["image"].as_str(), Some("web-shop:RELEASE"), "{container:?}");
}

#[test]
fn the_image_has_both_programs_and_nothing_to_build_with() {
    let project =
        released(project_on(Sqlite)).file("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n");
    let run = project.run("gen dockerfile");
    run.success().stderr_contains("* creating Dockerfile").stderr_contains("* creating .dockerignore");
    run.stderr_contains("docker build --tag web-shop .").stderr_lacks("gen release");
    let dockerfile = project.read("Dockerfile");
    assert!(dockerfile.contains("FROM rust:1.95.0-slim-bookworm AS build"), "{dockerfile}");
    assert!(
        dockerfile.contains("cargo build --locked --release --package core --bin web_shop --bin release"),
        "{dockerfile}"
    );
    let cache = "target=/build/target,id=web-shop-target-$TARGETPLATFORM,sharing=locked";
    assert!(dockerfile.contains(cache) && dockerfile.contains("\nARG TARGETPLATFORM\n"), "{dockerfile}");
    assert!(!dockerfile.contains("libpq") && !dockerfile.contains("libssl"), "{dockerfile}");
    let last = last_stage(&dockerfile);
    assert_eq!(last[0], "FROM gcr.io/distroless/cc-debian12:nonroot");
    assert!(last.contains(&"USER 65532:65532") && last.contains(&"CMD [\"/app/web_shop\"]"), "{last:?}");
    assert!(!last.iter().any(|line| line.contains("cargo") || line.starts_with("RUN")), "{last:?}");
    assert!(last.contains(&"ENV CORE_DATABASE_URL=sqlite:/data/core.db"), "{last:?}");
    let ignored = project.read(".dockerignore");
    for line in ["**/target", "**/.env", "**/*.db", "rust-toolchain.toml", ".git"] {
        assert!(ignored.lines().any(|known| known == line), "{line}: {ignored}");
    }
    project.run("gen dockerfile").code(2).stderr_contains("`Dockerfile` is there already");
}

#[test]
fn more_can_be_made_beside_a_dockerfile_of_ones_own() {
    let project = released(project_on(Sqlite)).file("Dockerfile", "FROM scratch\n");
    project.run("gen dockerfile").code(2);
    assert!(!project.path(".dockerignore").exists(), "all or nothing");
    let run = project.run("gen dockerfile --fly --kubernetes");
    run.success().stderr_contains("Dockerfile is there already and stays as it is");
    run.stderr_contains(".create_if_missing()");
    assert_eq!(project.read("Dockerfile"), "FROM scratch\n");
    project.run("gen dockerfile --fly").code(2).stderr_contains("`fly.toml` is there already");

    let fly = project.read("fly.toml");
    assert_eq!(toml_at(&fly, &["deploy", "release_command"]), None, "a release command gets no volume");
    assert!(fly.contains(".create_if_missing()"), "{fly}");
    assert_eq!(toml_at(&fly, &["env", "RUN_MIGRATIONS"]).as_deref(), Some("migrate"));
    assert_eq!(toml_at(&fly, &["env", "CORE_DATABASE_URL"]).as_deref(), Some("sqlite:/data/core.db"));
    assert_eq!(toml_at(&fly, &["mounts", "destination"]).as_deref(), Some("/data"));
    assert!(!project.path("k8s/migrate.yaml").exists());
    let deployment = documents(&project, "k8s/deployment.yaml");
    assert_eq!(deployment.len(), 2, "a claim and a deployment");
    let spec = &deployment[1]["spec"];
    let pod = &spec["template"]["spec"];
    for container in [&pod["initContainers"][0], &pod["containers"][0]] {
        let mounts = container["volumeMounts"].as_vec().expect("a list").iter();
        let places: Vec<_> = mounts.map(|mount| mount["mountPath"].as_str()).collect();
        assert_eq!(places, [Some("/data"), Some("/tmp")], "SQLite sorts in a file of its own");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"].as_bool(), Some(true));
        is_closed(container);
    }
    let volumes = pod["volumes"].as_vec().expect("a list");
    assert!(volumes.iter().any(|volume| !volume["emptyDir"].is_badvalue()), "{volumes:?}");
    assert_eq!((spec["replicas"].as_i64(), spec["strategy"]["type"].as_str()), (Some(1), Some("Recreate")));
    serves_and_never_migrates(&pod["containers"][0]);
}

#[test]
fn a_server_database_is_migrated_once_a_release_and_no_file_holds_its_password() {
    if postgres::server().is_none() {
        return;
    }
    let project = released(project_on(Postgres));
    project.run("gen dockerfile --fly --kubernetes").success();
    let fly = project.read("fly.toml");
    assert_eq!(toml_at(&fly, &["deploy", "release_command"]).as_deref(), Some("/app/release setup"));
    assert_eq!(toml_at(&fly, &["mounts", "destination"]), None);

    let job = &documents(&project, "k8s/migrate.yaml")[0];
    assert_eq!(
        (job["kind"].as_str(), job["metadata"]["name"].as_str()),
        (Some("Job"), Some("web-shop-migrate"))
    );
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"][0].as_str(), Some("/app/release"));
    assert_eq!(container["command"][1].as_str(), Some("setup"));
    assert!(container["command"][2].is_badvalue(), "a job makes no database: {container:?}");
    let variable = &container["env"][0];
    assert_eq!(variable["name"].as_str(), Some("CORE_DATABASE_URL"));
    assert_eq!(variable["valueFrom"]["secretKeyRef"]["name"].as_str(), Some("web-shop-database"));
    let deployment = &documents(&project, "k8s/deployment.yaml")[0];
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["initContainers"][0]["command"][1].as_str(), Some("setup"));
    assert!(pod["containers"][0]["command"].is_badvalue(), "{pod:?}");
    assert!(pod["volumes"].is_badvalue(), "{pod:?}");
    serves_and_never_migrates(&pod["containers"][0]);
    let spec = &job["spec"];
    assert_eq!((spec["backoffLimit"].as_i64(), spec["activeDeadlineSeconds"].as_i64()), (Some(3), Some(600)));
    assert!(spec["ttlSecondsAfterFinished"].as_i64().is_some_and(|seconds| seconds >= 3600), "{spec:?}");
    assert_eq!(spec["template"]["spec"]["restartPolicy"].as_str(), Some("Never"));
    let text = project.read("k8s/migrate.yaml");
    assert!(
        text.contains("jsonpath='{.status.conditions[*].type}'"),
        "a failed job ends the waiting: {text}"
    );
    for container in [container, &pod["initContainers"][0]] {
        is_closed(container);
        let names: Vec<_> =
            container["env"].as_vec().expect("a list").iter().map(|one| &one["name"]).collect();
        assert!(!names.iter().any(|name| name.as_str() == Some("RUN_MIGRATIONS")), "{container:?}");
    }

    assert!(project.read("Dockerfile").contains("/app/release setup\n"));
    let url = project.server().url("core_dev");
    for path in ["Dockerfile", ".dockerignore", "fly.toml", "k8s/migrate.yaml", "k8s/deployment.yaml"] {
        let text = project.read(path);
        assert!(!text.contains(&url) && !text.contains("postgres://"), "{path}: {text}");
    }
}

#[test]
fn a_job_leaves_files_to_the_pods_that_have_the_volume() {
    if postgres::server().is_none() {
        return;
    }
    let project = released(project_on(Postgres).repo_in("core", "cache", Sqlite));
    project.run("gen dockerfile --fly --kubernetes").success();
    let fly = project.read("fly.toml");
    let command = toml_at(&fly, &["deploy", "release_command"]);
    assert_eq!(command.as_deref(), Some("/app/release setup --repo core"));
    assert_eq!(toml_at(&fly, &["env", "CACHE_DATABASE_URL"]).as_deref(), Some("sqlite:/data/cache.db"));
    let job = &documents(&project, "k8s/migrate.yaml")[0];
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"][3].as_str(), Some("core"));
    assert_eq!(container["env"].as_vec().map(Vec::len), Some(1));
    let pod = &documents(&project, "k8s/deployment.yaml")[1]["spec"]["template"]["spec"];
    let [migrate, setup] = pod["initContainers"].as_vec().expect("a list").as_slice() else {
        panic!("{pod:?}")
    };
    let words = |container: &Yaml| -> Vec<String> {
        let words = container["command"].as_vec().expect("a list").iter();
        words.map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    assert_eq!(words(migrate), ["/app/release", "setup", "--repo", "core"]);
    assert_eq!(words(setup), ["/app/release", "setup", "--create", "--repo", "cache"]);
    assert!(migrate["volumeMounts"].is_badvalue() && !setup["volumeMounts"].is_badvalue(), "{pod:?}");
}

#[test]
fn every_variable_of_a_secret_is_named() {
    if postgres::server().is_none() {
        return;
    }
    let project = released(project_on(Postgres).repo_in("core", "audit", Postgres));
    project.run("gen dockerfile --fly --kubernetes").success();
    let (first, second) = ("CORE_DATABASE_URL=...", "AUDIT_DATABASE_URL=...");
    for (path, flag) in [("fly.toml", ""), ("k8s/deployment.yaml", "--from-literal=")] {
        let text = project.read(path);
        let has = |variable: &str| text.contains(&format!(" {flag}{variable}"));
        assert!(has(first) && has(second), "{path}: {text}");
    }
}

#[test]
fn what_tls_links_is_there_where_the_image_is_built() {
    let project = released(project_on(Sqlite)).package_metadata(
        "core",
        "[dependencies]\nsqlx = { version = \"0.9\", features = [\"sqlite\", \"tls-native-tls\"] }\n",
    );
    project.run("gen dockerfile").success();
    let dockerfile = project.read("Dockerfile");
    assert!(dockerfile.contains(" libssl-dev pkg-config \\\n"), "{dockerfile}");
    assert!(!dockerfile.contains("libpq"), "{dockerfile}");
    assert_eq!(last_stage(&dockerfile)[0], "FROM gcr.io/distroless/cc-debian12:nonroot");
}

#[test]
fn diesel_brings_its_client_library_and_no_client() {
    let project = released(project_on(Sqlite)).package_metadata(
        "core",
        "[dependencies]\ndiesel = { version = \"2\", features = [\"postgres\"] }\n",
    );
    project.run("gen dockerfile").success();
    let dockerfile = project.read("Dockerfile");
    let last = last_stage(&dockerfile);
    assert_eq!(last[0], "FROM debian:bookworm-slim");
    assert!(
        dockerfile.contains("libpq-dev") && last.iter().any(|line| line.ends_with("libpq5 \\")),
        "{last:?}"
    );
    assert!(
        !last.iter().any(|line| line.contains("libpq-dev") || line.contains("postgresql-client")),
        "{last:?}"
    );
}

#[test]
fn whoever_has_several_programs_names_the_application() {
    let project = with_app(project_on(Sqlite)).file("crates/core/src/bin/worker.rs", "fn main() {}\n");
    let run = project.run("gen dockerfile");
    run.code(2)
        .stderr_contains("several programs")
        .stderr_contains("`web_shop`, `worker`")
        .stderr_contains("--bin ");
    project.run("gen dockerfile --bin werker").code(2).stderr_contains("did you mean `worker`?");
    let run = project.run("gen dockerfile --bin worker");
    run.success().stderr_contains("cargo dbsetup gen release");
    assert!(project.read("Dockerfile").contains("CMD [\"/app/worker\"]"));

    let library = project_on(Sqlite);
    library.run("gen dockerfile").code(2).stderr_contains("no program to put into an image");
}

/// Returns the text at a path of keys in a TOML document.
#[track_caller]
fn toml_at(text: &str, path: &[&str]) -> Option<String> {
    let document = toml::de::DeTable::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let (last, tables) = path.split_last()?;
    let mut table = document.get_ref();
    for key in tables {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    Some(table.get(*last)?.get_ref().as_str()?.to_owned())
}
