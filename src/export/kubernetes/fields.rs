//! What each field of a stack becomes on a cluster: the ground of the report and of `docs/export.md`.

use crate::export::Field;
use crate::export::report::{approximated, dropped, kept};

pub const CHART_UNUSED: Field = kept(
    "parameters.<parameter>",
    "with `--helm`, where no object depends on it",
    "nothing",
    "the chart doesn't ask for it",
);
pub const CHART_FIXED: Field = approximated(
    "parameters.<parameter>",
    "with `--helm`, where no template says what it does",
    "its value at the export",
    "a value of a chart makes a scalar, or what comes and goes with it",
);
pub const HOSTNAME: Field = dropped(
    "pods.<pod>.hostname",
    "with `stable: true`",
    "a StatefulSet gives each replica its own name as host name",
);
pub const REPLICA_NAMES: Field = approximated(
    "pods.<pod>.stable",
    "with services, none of them headless",
    "`StatefulSet`, and a headless `Service` of its own",
    "only a headless service names replicas (`cache-0.cache`) on a cluster",
);
pub const DURATION: Field = approximated(
    "any duration",
    "not in whole seconds",
    "the next whole second",
    "a cluster counts in whole seconds, and at least 1 s between the tries of a probe",
);
pub const BUILD: Field = kept(
    "pods.<pod>.containers.<container>.build",
    "",
    "`image: <registry>/<stack>-<pod>-<container>:<tag>`",
    "the image is to be pushed; without `--registry` it has to be on every node, and is never pulled",
);
pub const BLOCK: Field = kept(
    "pods.<pod>.containers.<container>.block",
    "",
    "`image: <registry>/motif-block:<version>`",
    "the image is to be pushed; without `--registry` it has to be on every node, and is never pulled",
);
pub const SHARED_CLAIM: Field = approximated(
    "pods.<pod>.volumes.<volume>.claim",
    "more than one replica at a time, without `stable: true`",
    "`PersistentVolumeClaim` with `ReadWriteMany`",
    "replicas on several nodes share it, which few storage classes can do",
);
pub const PUBLISH: Field = dropped(
    "services.<service>.publish",
    "on a loopback address",
    "there is no machine of yours: `kubectl port-forward` reaches it",
);
pub const PUBLISH_REQUESTS: Field = approximated(
    "services.<service>.publish",
    "to the world, of a port named `http…` or `grpc…`, or that a probe asks by HTTP",
    "`Ingress`; with `--gateway` an `HTTPRoute`",
    "the controller listens on ports of its own; `--domain` gives each service a host of its name, or one for each of several such ports",
);
pub const PUBLISH_GRPC: Field = approximated(
    "services.<service>.publish",
    "to the world, of a port named `grpc…`, without `--gateway`",
    "`Ingress`, and `appProtocol` of the `Service`",
    "an Ingress can't say which protocol is spoken behind it",
);
pub const PUBLISH_UNNAMED: Field = dropped(
    "services.<service>.publish",
    "to the world, one of several for requests, without `--domain`",
    "nothing tells their requests apart",
);
pub const PUBLISH_BYTES: Field = approximated(
    "services.<service>.publish",
    "to the world, of any other port",
    "`Service` with `type: LoadBalancer`",
    "the cluster gives it an address, where it can",
);
pub const FRONT_AFFINITY: Field = approximated(
    "services.<service>.affinity",
    "`client`, published to the world for requests",
    "`sessionAffinity: ClientIP`, for clients in the cluster",
    "to the service all requests from outside come from the controller",
);
pub const OPEN: Field = kept(
    "pods.<pod>.egress",
    "absent",
    "a `NetworkPolicy` that lets it dial anything",
    "other pods let it in on the ports of their services",
);
pub const SIDECAR: Field = approximated(
    "pods.<pod>.containers.<container>.role",
    "`sidecar`, with `--sidecars main`",
    "`containers`, before the main ones",
    "it starts and stops with them, after all init containers, and a job doesn't end while it runs",
);
pub const PROMISE: Field = approximated(
    "promises",
    "of requests to a service whose replicas go away meanwhile",
    "a `Service` that tries no other replica",
    "on Docker the proxy before several replicas tries another one when a connection fails",
);
pub const HEADLESS_AFFINITY: Field = dropped(
    "services.<service>.affinity",
    "`client`, with `headless: true`",
    "clients of a headless service choose a replica themselves",
);
pub const HEADLESS_TARGET: Field = approximated(
    "services.<service>.ports.<port>.target",
    "another number than the port's, with `headless: true`",
    "`targetPort`",
    "clients of a headless service dial the replica, thus the target's number",
);
pub const INDEXED_HOSTNAME: Field = dropped(
    "jobs.<job>.hostname",
    "with `indexed: true`",
    "an indexed `Job` gives each run its own name as host name",
);
pub const REPLICA_NAME: Field = approximated(
    "pods.<pod>.replicas",
    "dialled by name, as `web-0`, in an argument or a variable",
    "a name of a service of its own, where the pod is stable: `cache-0.cache`",
    "other names of replicas are Docker's alone",
);
pub const CONFIG_SIZE: Field = kept(
    "pods.<pod>.volumes.<volume>.config",
    "of more than 250,000 bytes",
    "`ConfigMap`",
    "`kubectl apply` keeps a copy of an object in an annotation of at most 256 KiB; with `--server-side` it doesn't",
);
pub const ENV_NAME: Field = approximated(
    "pods.<pod>.containers.<container>.env.<name>",
    "a name beyond letters, digits, `_`, `-` and `.`, or that begins with a digit",
    "`name`",
    "clusters before Kubernetes 1.32 refuse it",
);
pub const AFTER: Field = dropped("pods.<pod>.after", "", "a cluster starts pods and jobs at once");
pub const JOB: Field = kept(
    "jobs.<job>",
    "without `schedule`",
    "`Job`",
    "a cluster's job never changes: applying a changed one is refused until the old one is deleted",
);
pub const SECRET_FILES: Field = kept(
    "secrets.<secret>.files",
    "",
    "a reference to a `Secret`",
    "values aren't exported; the `Secret` has to be made",
);
pub const SECRET_VALUES: Field = kept(
    "secrets.<secret>.files",
    "with `--include-secrets`",
    "`Secret`",
    "its values are in the output; files of it are for their owner alone",
);
pub const CERTIFICATE_VALUES: Field = kept(
    "secrets.<secret>.certificate",
    "with `--include-secrets`, when `motif up` has made it",
    "`Secret` of the type `kubernetes.io/tls`",
    "its values are in the output; clients don't trust it",
);
pub const SECRET_CERTIFICATE: Field = kept(
    "secrets.<secret>.certificate",
    "",
    "a reference to a `Secret`",
    "the self-signed certificate is for development; the `Secret` has to be made from one that clients trust",
);

/// Every row, in the order of `docs/stack.md`.
#[cfg(test)]
pub const FIELDS: &[Field] = &[
    kept(
        "stack",
        "",
        "labels `app.kubernetes.io/instance` and `part-of`",
        "",
    ),
    kept("include", "", "part of the same output", ""),
    kept(
        "parameters.<parameter>",
        "",
        "its value, wherever it is used",
        "`--set` chooses it at export",
    ),
    kept(
        "parameters.<parameter>",
        "with `--helm`",
        "a value of the chart, with its rules in `values.schema.json`",
        "",
    ),
    CHART_UNUSED,
    CHART_FIXED,
    kept("parameters.<parameter>.type", "", "checked before the export", ""),
    kept(
        "parameters.<parameter>.default",
        "",
        "the value without `--set`",
        "",
    ),
    kept(
        "parameters.<parameter>.minimum, maximum, choices, pattern, help",
        "",
        "checked before the export",
        "",
    ),
    kept(
        "pods.<pod>",
        "",
        "`Deployment`",
        "changes roll out replica by replica",
    ),
    kept(
        "pods.<pod>.replicas",
        "",
        "`replicas`",
        "more than one: spread over nodes, and a `PodDisruptionBudget` that lets one go at a time",
    ),
    REPLICA_NAME,
    kept(
        "pods.<pod>.replicas.min, max, cpu, memory",
        "",
        "`HorizontalPodAutoscaler`; no `replicas`",
        "needs the cluster's metrics server",
    ),
    kept(
        "pods.<pod>.stable",
        "`true`",
        "`StatefulSet` and its headless `Service`",
        "replicas start together, as on Docker",
    ),
    REPLICA_NAMES,
    kept("pods.<pod>.hostname", "", "`hostname`", ""),
    HOSTNAME,
    kept("pods.<pod>.shareProcesses", "", "`shareProcessNamespace`", ""),
    kept(
        "pods.<pod>.restart",
        "",
        "nothing: `Always` is the cluster's default",
        "",
    ),
    kept("pods.<pod>.grace", "", "`terminationGracePeriodSeconds`", ""),
    AFTER,
    kept(
        "pods.<pod>.egress",
        "",
        "`NetworkPolicy`: it dials what is declared, and is dialled by who declares it, on the ports of its services",
        "enforced where the cluster's network does; names are always resolved; what is published is open to all",
    ),
    OPEN,
    DURATION,
    kept("pods.<pod>.containers.<container>.image", "", "`image`", ""),
    BUILD,
    kept(
        "pods.<pod>.containers.<container>.build.context, dockerfile, args, target, secrets, platform",
        "",
        "the image; the report says the command that builds it",
        "",
    ),
    BLOCK,
    kept(
        "pods.<pod>.containers.<container>.role",
        "`main`",
        "`containers`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.role",
        "`init`",
        "`initContainers`, in the order written",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.role",
        "`sidecar`",
        "`initContainers` with `restartPolicy: Always`, in the order written",
        "needs Kubernetes 1.29",
    ),
    SIDECAR,
    kept(
        "pods.<pod>.containers.<container>.command",
        "",
        "`command`",
        "`$(NAME)` is escaped: it stays text",
    ),
    kept(
        "pods.<pod>.containers.<container>.args",
        "",
        "`args`",
        "`$(NAME)` is escaped: it stays text",
    ),
    kept(
        "pods.<pod>.containers.<container>.env.<name>",
        "text",
        "`value`",
        "`$(NAME)` is escaped: it stays text",
    ),
    ENV_NAME,
    kept(
        "pods.<pod>.containers.<container>.env.<name>.secret, key",
        "",
        "`secretKeyRef`",
        "a line break at the end of the value stays; Docker's variables lose it",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>",
        "",
        "`containerPort`",
        "below 1024: may be bound without root, as on Docker",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.port",
        "",
        "`containerPort`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.protocol",
        "",
        "`protocol`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.local",
        "`true`",
        "no `containerPort`",
        "the program itself binds loopback",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>",
        "",
        "`volumeMounts`",
        "a claim is empty at first: files of the image aren't copied into it",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>.path",
        "",
        "`mountPath`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>.readOnly",
        "",
        "`readOnly`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.resources.cpu",
        "",
        "request and limit",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.resources.memory",
        "",
        "request and limit",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup",
        "",
        "`startupProbe`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.ready",
        "",
        "`readinessProbe`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.live",
        "",
        "`livenessProbe`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: http",
        "",
        "`httpGet`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: port",
        "",
        "`port`, by number",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: scheme",
        "",
        "`scheme`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: headers",
        "",
        "`httpHeaders`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: tcp",
        "",
        "`tcpSocket`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: exec",
        "",
        "`exec`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: grpc",
        "",
        "`grpc`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: service",
        "",
        "`service`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: delay",
        "",
        "`initialDelaySeconds`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: every",
        "",
        "`periodSeconds`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: timeout",
        "",
        "`timeoutSeconds`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: failures",
        "",
        "`failureThreshold`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: successes",
        "",
        "`successThreshold`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.security",
        "`restricted`",
        "`securityContext`: not root, no capabilities, no new privileges",
        "accepted where the namespace enforces the `restricted` standard",
    ),
    kept(
        "pods.<pod>.containers.<container>.security",
        "`baseline`",
        "`securityContext`: no new privileges",
        "the cluster's runtime decides the default capabilities",
    ),
    kept(
        "pods.<pod>.containers.<container>.user",
        "",
        "`runAsUser`, `runAsGroup`; `fsGroup` where claims are mounted",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.user",
        "absent, with `security: restricted`",
        "`runAsNonRoot: true`; of a block `runAsUser: 65532`",
        "as on Docker, the image's `USER` has to be a number other than 0",
    ),
    kept(
        "pods.<pod>.containers.<container>.readOnly",
        "",
        "`readOnlyRootFilesystem`, with an `emptyDir` at `/tmp`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.capabilities",
        "",
        "`capabilities.add`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.directory",
        "",
        "`workingDir`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.sync",
        "",
        "nothing",
        "it serves `up --watch` alone",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.empty, empty.size",
        "",
        "`emptyDir`; its size is `sizeLimit`",
        "a pod that exceeds it is evicted",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.tmpfs, tmpfs.size",
        "",
        "`emptyDir` with `medium: Memory`; its size is `sizeLimit`",
        "counts as memory of the container that writes",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.claim",
        "one replica",
        "`PersistentVolumeClaim` with `ReadWriteOnce`",
        "the old replica ends before the new one starts",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.claim",
        "with `stable: true`",
        "`volumeClaimTemplates` with `ReadWriteOnce`",
        "one claim for each replica",
    ),
    SHARED_CLAIM,
    kept(
        "pods.<pod>.volumes.<volume>.config",
        "",
        "`ConfigMap`",
        "a hash of it is an annotation of the pods, so that a change rolls; at most 1 MiB",
    ),
    CONFIG_SIZE,
    kept(
        "pods.<pod>.volumes.<volume>.secret",
        "",
        "volume of the `Secret`",
        "",
    ),
    kept(
        "services.<service>",
        "",
        "`Service`",
        "only ready replicas get traffic; connections are balanced, requests are not retried",
    ),
    kept("services.<service>.pod", "", "`selector`", ""),
    kept("services.<service>.ports.<port>", "", "`ports`", ""),
    kept("services.<service>.ports.<port>.port", "", "`port`", ""),
    kept(
        "services.<service>.ports.<port>.target",
        "",
        "`targetPort`, by number",
        "",
    ),
    HEADLESS_TARGET,
    PUBLISH,
    PUBLISH_REQUESTS,
    PUBLISH_GRPC,
    PUBLISH_UNNAMED,
    PUBLISH_BYTES,
    kept(
        "services.<service>.affinity",
        "",
        "`sessionAffinity: ClientIP`",
        "",
    ),
    HEADLESS_AFFINITY,
    FRONT_AFFINITY,
    kept(
        "services.<service>.headless",
        "",
        "`clusterIP: None`",
        "it finds the replicas that are ready; the one that names those of a stable pod finds all, as on Docker",
    ),
    JOB,
    kept("jobs.<job>.completions", "", "`completions`", ""),
    kept("jobs.<job>.parallelism", "", "`parallelism`", ""),
    kept("jobs.<job>.retries", "", "`backoffLimit`", ""),
    kept("jobs.<job>.deadline", "", "`activeDeadlineSeconds`", ""),
    kept("jobs.<job>.indexed", "", "`completionMode: Indexed`", ""),
    kept("jobs.<job>.ttl", "", "`ttlSecondsAfterFinished`", ""),
    kept(
        "jobs.<job>.schedule",
        "",
        "`CronJob` with this `schedule`, in UTC",
        "",
    ),
    kept("jobs.<job>.concurrency", "", "`concurrencyPolicy`", ""),
    kept("jobs.<job>.restart", "", "`restartPolicy`", ""),
    kept("jobs.<job>.hostname", "", "`hostname`", ""),
    INDEXED_HOSTNAME,
    kept(
        "jobs.<job>.shareProcesses, grace, after, egress, containers, volumes",
        "",
        "as of a pod",
        "",
    ),
    SECRET_FILES,
    SECRET_VALUES,
    SECRET_CERTIFICATE,
    CERTIFICATE_VALUES,
    kept("promises", "", "nothing", "it serves `verify` alone"),
    PROMISE,
];
