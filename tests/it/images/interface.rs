//! `inspect --diff` on two real images.

use serde_json::Value;

use super::project::{Project, docker};
use crate::motif::engine_is_wanted;

const OLD: &str = r#"FROM scratch
ENV GREETING=hello
LABEL dev.motif.parameter.UPDATE_FREQUENCY="seconds; default 10; how often" \
      dev.motif.parameter.TIMEOUT="seconds; default 3; how long" \
      dev.motif.parameter.PORT="port; default 8080; where" \
      dev.motif.parameter.GREETING="text; what it says"
"#;

const NEW: &str = r#"FROM scratch
ENV GREETING=bye
LABEL dev.motif.parameter.UPDATE_INTERVAL="seconds; default 10; how often" \
      dev.motif.parameter.TIMEOUT="milliseconds; default 3; how long" \
      dev.motif.parameter.PORT="port; required; where" \
      dev.motif.parameter.GREETING="text; what it says"
"#;

const COMPATIBLE: &str = r#"FROM scratch
ENV GREETING=bye COLOR=blue
LABEL dev.motif.parameter.UPDATE_FREQUENCY="seconds; default 10; how often it looks" \
      dev.motif.parameter.TIMEOUT="seconds; default 3; how long" \
      dev.motif.parameter.PORT="port; default 8080; where" \
      dev.motif.parameter.GREETING="text; what it says"
"#;

#[test]
fn what_breaks_a_user_is_called_out() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new("pods: {}\n");
    let build = |tag: &str, dockerfile: &str| {
        project.workspace.write(&format!("{tag}/Dockerfile"), dockerfile);
        let image = format!("{}:{tag}", project.name);
        let label = format!("--label=dev.motif.stack={}", project.name);
        let folder = project.workspace.path().join(tag);
        docker(&[
            "build",
            "--quiet",
            &label,
            "--tag",
            &image,
            &folder.display().to_string(),
        ]);
        image
    };
    let (old, new) = (build("old", OLD), build("new", NEW));
    let compatible = build("compatible", COMPATIBLE);
    let diff = |old: &str, new: &str, format: &str| {
        project.run(&["inspect", "--diff", old, new, "--format", format])
    };
    insta::assert_snapshot!(diff(&old, &new, "table").code(1), @r"
    PARAMETER         CHANGE    OLD       NEW
    GREETING          default   hello     bye
    PORT              required  optional  required                  breaking
    TIMEOUT           unit      seconds   milliseconds              breaking
    UPDATE_FREQUENCY  removed   seconds   renamed UPDATE_INTERVAL?  breaking
    [exit status: 1]
    ");
    let output = diff(&old, &new, "json").code(1);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["breaking"], true);
    let renamed = document["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["name"] == "UPDATE_FREQUENCY")
        .unwrap();
    assert_eq!(renamed["renamed"], "UPDATE_INTERVAL");
    insta::assert_snapshot!(diff(&old, &compatible, "table").success(), @r"
    PARAMETER  CHANGE   OLD    NEW
    GREETING   default  hello  bye
    COLOR      added           text
    ");
    let output = diff(&old, &old, "table").success();
    assert_eq!(output.stdout, "", "{output}");
    let missing = diff(&old, &format!("{}:none", project.name), "table").code(1);
    assert!(missing.stderr.contains("there is no image"), "{missing}");
    // One image, or two.
    project.run(&["inspect", "--diff", &old]).code(2);
    project.run(&["inspect"]).code(2);
}
