//! `ps`, `logs`, `exec` and `inspect` on a stack that runs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::project::{Project, docker};
use crate::motif::{Workspace, engine_is_wanted};

const STACK: &str = "\
pods:
  web:
    replicas: 2
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; exec sleep infinity']
        env: { GREETING: hello }
      echo:
        block: http-echo
        role: sidecar
        ready: { http: /readyz, port: 8080 }
";

#[test]
fn programs_run_in_containers() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    project.up();
    let exec = |arguments: &[&str], input: &str| {
        let arguments = [&["exec"], arguments].concat();
        project.workspace.run_with_input(&arguments, input.as_bytes())
    };
    let output = exec(&["web", "--", "sh", "-c", "echo out; echo err >&2; exit 7"], "");
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str(), output.code),
        ("out\n", "err\n", 7)
    );
    let lines = "a line\n".repeat(100_000);
    let output = exec(&["web-1", "--", "sh", "-c", "wc -l; hostname"], &lines).success();
    assert_eq!(output.stdout, "100000\nweb-1\n");
    // What comes back as it goes in: neither end may wait for the other.
    assert!(exec(&["web", "--", "cat"], &lines).success().stdout == lines);
    let output = exec(
        &[
            "--env",
            "GREETING=bye",
            "--env",
            "A=b c",
            "--workdir",
            "/tmp",
            "--user",
            "1:2",
            "web/app",
            "--",
            "sh",
            "-c",
            "echo $GREETING $A; pwd; id -u; id -g",
        ],
        "",
    );
    assert_eq!(output.stdout, "bye b c\n/tmp\n1\n2\n", "{output}");
    let output = exec(&["web/echo", "--", "/.motif/motif", "--version"], "").success();
    assert!(output.stdout.starts_with("motif "), "{output}");
    insta::assert_snapshot!(exec(&["web/echo", "--", "sh"], ""), @r"
    ------- stderr -------
    error: `sh` is not in the image of `web-0/echo`
    hint: an image may hold one program and no shell: `motif inspect IMAGE` shows its entry point
    [exit status: 127]
    ");
    let output = exec(&["web/ap", "--", "sh"], "").code(1);
    assert!(
        output
            .stderr
            .contains("hint: there are `web-0/app`, `web-0/echo`, `web-1/app`, `web-1/echo`"),
        "{output}"
    );

    // At a terminal the program has one too, of the same size.
    let inside = "stty rows 33 cols 77; exec \"$MOTIF\" exec web -- sh -c 'sleep 0.5; stty size; test -t 0 && test -t 1 && echo terminal'";
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", inside, "/dev/null"])
        .env("MOTIF", crate::motif::binary());
    let output = command
        .current_dir(project.workspace.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("33 77") && text.contains("terminal"), "{text}");
}

#[test]
fn ps_shows_what_runs_even_where_the_stack_is_broken() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    project.up();
    let output = project.run(&["ps", "--format", "json"]).success();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let rows = document.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{output}");
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["name"], format!("web-{index}"));
        assert_eq!(
            (&row["ready"], &row["containers"]),
            (&2.into(), &2.into()),
            "{output}"
        );
        assert_eq!(row["status"], "running");
        let members: Vec<&str> = row["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["name"].as_str().unwrap())
            .collect();
        assert_eq!(members, ["echo", "app"], "a sidecar starts first");
    }
    docker(&["kill", &format!("{}-web-1-app", project.name)]);
    project.workspace.write(
        "stack.yaml",
        format!("stack: {}\npods: {{ web: {{ nonsense: 1 }} }}\n", project.name),
    );
    let output = project.run(&["ps"]).success();
    assert!(output.stdout.starts_with("POD    READY  STATUS"), "{output}");
    let elsewhere = Workspace::new().with_engine();
    let output = elsewhere.run(&["ps", "-p", &project.name]).success();
    assert_eq!(output.stdout.lines().count(), 3, "{output}");
    let output = elsewhere.run(&["ps"]).code(2);
    assert!(output.stderr.contains(&project.name), "{output}");
    assert_eq!(
        elsewhere
            .run(&["ps", "-p", "nothing", "--format", "json"])
            .success()
            .stdout,
        "[]\n"
    );
}

#[test]
fn logs_are_in_order_and_can_be_narrowed() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    project.up();
    let logs = |arguments: &[&str]| project.run(&[&["logs"], arguments].concat()).success().stdout;
    while logs(&["web/app", "--grep", "three"]).lines().count() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(
        logs(&["web-0/app"]),
        "web-0/app | one\nweb-0/app | two\nweb-0/app | three\n"
    );
    assert_eq!(logs(&["web/app", "--no-prefix", "--tail", "1"]), "three\nthree\n");
    assert_eq!(logs(&["web-1/app", "--grep", "w"]), "web-1/app | two\n");
    assert_eq!(
        logs(&["web-1/app", "--grep", "e", "--tail", "1"]),
        "web-1/app | three\n"
    );
    assert_eq!(logs(&["web/app", "--since", "2099-01-01T00:00:00Z"]), "");
    let all = logs(&["--format", "json"]);
    let lines: Vec<Value> = all
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let times: Vec<&str> = lines.iter().map(|line| line["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{all}");
    let streams: Vec<&str> = lines
        .iter()
        .filter(|line| line["container"] == "app" && line["replica"] == 0)
        .map(|line| line["stream"].as_str().unwrap())
        .collect();
    assert_eq!(streams, ["stdout", "stderr", "stdout"]);
    let since = lines[2]["time"].as_str().unwrap();
    let later = logs(&["--format", "json", "--since", since]);
    assert_eq!(later.lines().count(), lines.len() - 2, "{later}");
    let prefixed = logs(&["--tail", "1"]);
    assert!(prefixed.contains("web-0/app  | "), "names line up: {prefixed}");
}

#[test]
fn a_followed_log_goes_on_across_restarts_without_gaps_or_repeats() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(
        "pods:\n  web:\n    grace: 0s\n    containers:\n      app:\n        image: debian:bookworm-slim\n        user: 65532\n        command: [sh, -c, 'echo begin; sleep 0.3; echo end']\n",
    );
    project.run(&["up", "-d"]).success();
    let mut child = project
        .workspace
        .command(&["logs", "--follow", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen: Vec<Value> = lines
        .take(7)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let texts: Vec<&str> = seen.iter().map(|line| line["line"].as_str().unwrap()).collect();
    assert_eq!(texts, ["begin", "end", "begin", "end", "begin", "end", "begin"]);
    let mut times: Vec<&str> = seen.iter().map(|line| line["time"].as_str().unwrap()).collect();
    times.dedup();
    assert_eq!(times.len(), 7, "no line is shown twice");
}

#[test]
fn a_followed_log_ends_with_the_stack() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    project.up();
    let mut child = project
        .workspace
        .command(&["logs", "--follow", "--tail", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    project.run(&["down"]).success();
    let status = child.wait().unwrap();
    assert!(status.success());
    let shown = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert!(
        !shown.contains("one"),
        "what was there before was not asked for: {shown}"
    );
}

#[test]
fn an_image_shows_its_parameters() {
    if !engine_is_wanted() {
        return;
    }
    let workspace = Workspace::new().with_engine();
    workspace.write(
        "app/Dockerfile",
        "FROM debian:bookworm-slim\n\
         ENV PORT=8080\n\
         ENV UNTOLD=x\n\
         EXPOSE 8080\n\
         LABEL org.opencontainers.image.title=\"demo\" \\\n      \
               dev.motif.parameter.PORT=\"port; default 1; TCP port to listen on\" \\\n      \
               dev.motif.parameter.GRACE=\"duration; default 10s; how long; at most\"\n\
         USER 65532:65532\n\
         ENTRYPOINT [\"sleep\"]\n\
         CMD [\"infinity\"]\n",
    );
    let project = Project::inside(
        workspace,
        "pods: { web: { grace: 0s, containers: { app: { build: app } } } }\n",
    );
    project.run(&["up", "-d"]).success();
    let label = format!("label=dev.motif.stack={}", project.name);
    let image = docker(&[
        "images",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "--filter",
        &label,
    ]);
    let mut output = project.run(&["inspect", &image]).success();
    let kept: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| {
            !["image ", "id ", "size ", "platform "]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .collect();
    output.stdout = kept.join("\n");
    insta::assert_snapshot!(output, @r"
    title       demo
    user        65532:65532
    entrypoint  sleep
    command     infinity
    ports       8080/tcp

    parameters

    NAME    TYPE      DEFAULT  HELP
    GRACE   duration  10s      how long; at most
    PORT    port      8080     TCP port to listen on
    UNTOLD  text      x
    ");
    let output = project.run(&["inspect", &image, "--format", "json"]).success();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["parameters"][1]["name"], "PORT");
    assert_eq!(
        document["parameters"][1]["default"], "8080",
        "what is set wins over what is said"
    );
    assert_eq!(document["ports"][0], "8080/tcp");

    let blocks = project.run(&["images", "--load", "--format", "json"]).success();
    let blocks: Value = serde_json::from_str(&blocks.stdout).unwrap();
    let own = blocks
        .as_array()
        .unwrap()
        .iter()
        .find(|stored| stored["kind"] == "blocks" && stored["superseded"] == false)
        .unwrap();
    let output = project.run(&["inspect", own["name"].as_str().unwrap()]).success();
    assert!(output.stdout.contains("\nblock http-echo: "), "{output}");
    assert!(output.stdout.contains("MOTIF_LATENCY"), "{output}");
    let output = project.run(&["inspect", "no/such:image"]).code(1);
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: there is no image `no/such:image` on the engine
    hint: `docker pull no/such:image` fetches it; `motif up` builds a stack's own
    [exit status: 1]
    ");
}
