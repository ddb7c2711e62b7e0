//! What becomes of each field of a manifest.

use crate::import::rule::{Rule, approximated, dropped, kept, kept_when};

pub const NO_KIND: Rule = dropped(
    "object.kind",
    "missing",
    "without `kind` and `apiVersion` nobody knows what it is",
    "add them, and import again",
);
pub const KIND: Rule = dropped(
    "object.kind",
    "any other",
    "a stack has nothing of this kind",
    "keep it in a manifest of its own, and apply it beside what `motif export` writes",
);
pub const TWICE: Rule = dropped(
    "object.metadata.name",
    "that another object of the kind has",
    "the first one is taken",
    "keep one of them",
);
pub const PORT_TWICE: Rule = dropped(
    "Service.ports",
    "with the number of another one",
    "a service has one port of a number",
    "keep one of them",
);
pub const NO_NAME: Rule = dropped(
    "object.metadata.name",
    "missing",
    "an object has a name",
    "add `metadata.name`, and import again",
);
pub const UNUSED: Rule = dropped(
    "object",
    "a ConfigMap, Secret or PersistentVolumeClaim that no container uses",
    "no container in the manifest uses it",
    "leave it out, or import it together with what uses it",
);
pub const RBAC: Rule = dropped(
    "object.kind",
    "`Role`, `RoleBinding`, `ClusterRole`, `ClusterRoleBinding`",
    "containers of a stack have no access to the cluster's API",
    "if a program needs it, keep the manifest, and add the account to what `motif export` writes",
);
pub const DAEMON: Rule = approximated(
    "object.kind",
    "`DaemonSet`",
    "a pod with one replica",
    "on Docker there is one node",
    "on a cluster it becomes a Deployment: set `replicas`, or keep the DaemonSet in a manifest of its own",
);
pub const POD: Rule = kept_when(
    "object.kind",
    "`Pod`",
    "`pods`, or `jobs` where it isn't always restarted",
    "",
);
pub const NAMESPACES: Rule = approximated(
    "object.metadata.namespace",
    "several in one import",
    "one stack",
    "a stack has no namespaces; `motif export kubernetes -n` chooses one",
    "import each namespace on its own",
);
pub const SUSPENDED: Rule = dropped(
    "Job.suspend, CronJob.suspend",
    "`true`",
    "a job of a stack runs",
    "remove the job from the stack for as long as it is not to run",
);
pub const SCHEDULE: Rule = dropped(
    "CronJob.schedule",
    "not readable",
    "the job isn't imported: without its schedule it would run at once",
    "write five fields, or `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`",
);
pub const ZONE: Rule = approximated(
    "CronJob.timeZone, schedule",
    "other than UTC",
    "the same hours in UTC",
    "a schedule is in UTC",
    "shift the schedule's hours",
);
pub const ORDERED: Rule = approximated(
    "StatefulSet.podManagementPolicy",
    "absent, or `OrderedReady`",
    "replicas start together",
    "replicas of a stable pod start together",
    "let the program wait for the members that it needs",
);
pub const STRATEGY: Rule = approximated(
    "Deployment.strategy, StatefulSet.updateStrategy, DaemonSet.updateStrategy",
    "other than the default, or `Recreate` with a claim",
    "replica by replica; with a claim the old one ends first",
    "how a change rolls out follows from replicas and claims",
    "leave it out if replica by replica will do",
);
pub const REPLICAS: Rule = approximated(
    "Deployment.replicas, StatefulSet.replicas, ReplicaSet.replicas",
    "more than 1000",
    "1000",
    "a pod has at most 1000 replicas",
    "split it",
);
pub const METRIC: Rule = dropped(
    "metric.containerResource, pods, object, external",
    "",
    "replicas are added by what all containers of a pod use",
    "keep the autoscaler in a manifest of its own",
);
pub const METRIC_TARGET: Rule = dropped(
    "metricTarget.value, averageValue",
    "",
    "what is used is measured in percent of the limits",
    "write `averageUtilization`",
);
pub const AUTOSCALER: Rule = approximated(
    "HorizontalPodAutoscaler.metrics, behavior",
    "a behaviour, no use that can be measured, or containers without limits",
    "`replicas`: the least, or the range by what is left",
    "a range of replicas goes by the use of processor time and memory, in percent of the limits",
    "set the containers' limits, or keep the autoscaler in a manifest of its own",
);
pub const BUDGET: Rule = approximated(
    "PodDisruptionBudget.minAvailable, maxUnavailable",
    "other than one that may be away",
    "a budget that lets one replica go at a time",
    "the budget follows from `replicas`",
    "keep it in a manifest of its own",
);
pub const NO_TARGET: Rule = dropped(
    "PodDisruptionBudget, HorizontalPodAutoscaler, NetworkPolicy",
    "about pods that aren't there",
    "nothing in the manifest is what it is about",
    "import it together with those, or leave it out",
);
pub const POLICY_INGRESS: Rule = approximated(
    "NetworkPolicy.ingress",
    "",
    "nothing: who may dial a pod follows from the `egress` of the others",
    "a stack says what each pod may dial, and no more",
    "give the other pods an `egress`",
);
pub const POLICY_OPEN: Rule = approximated(
    "NetworkPolicy.ingress",
    "from anywhere",
    "`publish` on this machine",
    "what everybody may dial is what a stack publishes",
    "take it out of `publish` if only the stack's own pods dial it",
);
pub const POLICY_PEER: Rule = dropped(
    "policyPeer.namespaceSelector",
    "to which an `egress` goes, or to nothing that is known",
    "a pod may dial services of its stack, the internet and whole networks",
    "name the network: `egress: [10.0.0.0/8]`",
);
pub const POLICY_SELECTOR: Rule = dropped(
    "selector.matchExpressions",
    "of a NetworkPolicy",
    "pods are chosen by `matchLabels` alone; what this chooses is left out",
    "choose the pods by `matchLabels`, and import again",
);
pub const POLICY_EXCEPT: Rule = approximated(
    "policyBlock.except",
    "",
    "the whole network; of `0.0.0.0/0` and `::/0` the `internet`",
    "a network of a stack has no parts that are left out",
    "name smaller networks under `egress`",
);
pub const POLICY_PORT: Rule = approximated(
    "policyPort.endPort, protocol",
    "a range, or a protocol without a port",
    "services with a port in it; of networks every port",
    "an edge is to one port of a network, or to all",
    "name the ports under `egress`: `10.0.0.0/8:5432`",
);
pub const POLICY_NAMED: Rule = dropped(
    "policyPort.port",
    "a name, of a network",
    "a name stands for a port of a pod, and a network has none",
    "write the port's number",
);
pub const POLICY_WHOLE: Rule = approximated(
    "policyRule.ports",
    "some of a service's ports",
    "the service, on all its ports",
    "a service is dialled on all of its ports",
    "put the port into a service of its own",
);
pub const POLICY_SERVICE: Rule = dropped(
    "policyRule.to",
    "a pod or port that no service has",
    "a stack's pods dial each other through services",
    "add a service with this port, and name it under `egress`",
);
pub const INGRESS: Rule = approximated(
    "object.kind",
    "`Ingress`, `HTTPRoute`",
    "`publish` of the services behind it, on every address",
    "a stack publishes ports; hosts, paths and certificates of a router have no place in it",
    "put a `proxy` block in front that routes, or keep the router in a manifest of its own",
);
pub const NO_BACKEND: Rule = dropped(
    "Ingress.rules, HTTPRoute.rules",
    "to a service that isn't there",
    "no service of that name and port is in the manifest",
    "import it together with the service",
);
pub const SERVICE_SELECTOR: Rule = dropped(
    "Service.selector",
    "absent, or of no pod in the manifest",
    "no pod in the manifest is behind it",
    "import it together with its pods; what is outside of the stack is dialled by its own name",
);
pub const SERVICE_PODS: Rule = approximated(
    "Service.selector",
    "of several pods",
    "the first of them",
    "a service of a stack has one pod behind it",
    "make one pod of them, or put a `proxy` block in front",
);
pub const EXTERNAL_NAME: Rule = dropped(
    "Service.externalName",
    "",
    "a stack has no aliases of names outside of it",
    "dial the outer name",
);
pub const PUBLISHED: Rule = approximated(
    "Service.type",
    "`LoadBalancer`, `NodePort`",
    "`publish` on every address of the host",
    "on Docker the host's own ports are what the outside reaches",
    "change the host port under `publish` if it is taken",
);
pub const PORT_TARGET: Rule = dropped(
    "Service.ports.targetPort",
    "a name that no port of the pod has",
    "no port of the pod has this name",
    "name the port of the container",
);
pub const SCTP: Rule = dropped(
    "Service.ports.protocol, container.ports.protocol, NetworkPolicy.ports.protocol",
    "`SCTP`",
    "ports are TCP or UDP",
    "serve it outside of the stack",
);
pub const NOT_ADDRESSES: Rule = approximated(
    "Service.publishNotReadyAddresses",
    "of a service with ports",
    "ready replicas only",
    "a service answers with ready replicas only",
    "dial replicas by their own names (`cache-0.cache`)",
);
pub const HEADLESS_PORTS: Rule = dropped(
    "Service.ports",
    "absent",
    "a service of a stack has ports",
    "add the ports that are dialled",
);
pub const CONFIG_BINARY: Rule = dropped(
    "ConfigMap.binaryData",
    "not UTF-8 text",
    "a stack's inline files are texts",
    "write the file beside the stack, and name its folder: `{ config: folder }`",
);
pub const SECRET_VALUES: Rule = kept_when(
    "Secret.data, stringData",
    "",
    "`secrets`: files that are still to be made",
    "values are never written into a stack",
);
pub const SECRET_KEYS: Rule = approximated(
    "volume.secret",
    "of a Secret that isn't in the manifest, without `items`",
    "`secrets`, with a guess at its keys",
    "the keys of a Secret that isn't there aren't known",
    "name its keys and files in the stack, or import it together with the Secret",
);
pub const SECRET_ITEMS: Rule = approximated(
    "volume.secret.items, volume.configMap.items",
    "",
    "files named by their keys",
    "the files of a volume are named by their keys",
    "name the keys as the program wants its files",
);
pub const FILE_MODE: Rule = dropped(
    "source.defaultMode",
    "other than 0644",
    "files of a config or secret are readable for everybody in the container",
    "leave it out",
);
pub const CONFIG_MISSING: Rule = dropped(
    "volume.configMap, container.envFrom.configMapRef, container.env.valueFrom.configMapKeyRef",
    "of a ConfigMap or key that isn't in the manifest",
    "the manifest doesn't have it",
    "import it together with the ConfigMap",
);
pub const SECRET_MISSING: Rule = dropped(
    "container.envFrom.secretRef",
    "of a Secret that isn't in the manifest",
    "which variables these are isn't known",
    "name each under `env:`, or import it together with the Secret",
);
pub const VOLUME_KIND: Rule = dropped(
    "volume",
    "of another kind, such as `hostPath`, `projected`, `downwardAPI`, `csi`",
    "a volume of a stack is `empty`, `tmpfs`, a `claim`, a `config` or a `secret`",
    "use one of these",
);
pub const CLAIM_MISSING: Rule = approximated(
    "volume.persistentVolumeClaim",
    "that isn't in the manifest",
    "a `claim` of 1Gi",
    "its size isn't known",
    "change the size",
);
pub const CLAIM_SHARED: Rule = approximated(
    "volume.persistentVolumeClaim",
    "that several pods use",
    "a claim for each pod",
    "a claim belongs to one pod",
    "put the containers that share files into one pod",
);
pub const SUBPATH: Rule = approximated(
    "container.volumeMounts.subPath",
    "of an empty volume",
    "a volume of its own for each path",
    "a volume of its own; files aren't shared, and each has the whole size",
    "use one volume, and let the program make the folders, if files are to be shared",
);
pub const SUBPATH_CLAIM: Rule = approximated(
    "container.volumeMounts.subPath",
    "of a claim",
    "a claim of its own for each path, without the folder in it",
    "a claim is mounted whole: what an old one has in this folder isn't where it was",
    "move the files of an old claim up into its own folder, each folder's into the claim of its path",
);
pub const SUBPATH_FILE: Rule = approximated(
    "container.volumeMounts.subPath",
    "a file of a config or a secret",
    "a folder with this file, where the file was to be",
    "a volume is a folder, which hides what the image has in its place",
    "let the program read the file from a folder of its own",
);
pub const SUBPATH_ROOT: Rule = dropped(
    "container.volumeMounts.subPath",
    "a file of a config or a secret, in the root folder",
    "a volume is a folder, and none can be in the place of the root",
    "let the program read the file from a folder of its own",
);
pub const MOUNT_MISSING: Rule = dropped(
    "container.volumeMounts.name",
    "of a volume that isn't there",
    "the pod has no such volume",
    "correct the name",
);
pub const MOUNT_TWICE: Rule = dropped(
    "container.volumeMounts",
    "of a claim or an empty volume that the container has at another path",
    "a container has a volume at one path",
    "use the other path",
);
pub const ENV_FIELD: Rule = dropped(
    "container.env.valueFrom.fieldRef, resourceFieldRef, fileKeyRef",
    "",
    "a stack can't pass what a cluster knows of a pod into a variable",
    "the host name is the replica's name; pass the rest as texts",
);
pub const ENV_EXPANSION: Rule = approximated(
    "container.env, container.command, container.args",
    "with `$(NAME)` of a secret",
    "the text `$(NAME)`",
    "a stack doesn't put a secret into another text",
    "let the program read the variable itself",
);
pub const REQUESTS: Rule = approximated(
    "container.resources.requests",
    "less than the limit",
    "the limit",
    "a stack's limits are its requests too",
    "lower the limit if the nodes are too small",
);
pub const ONLY_REQUESTS: Rule = dropped(
    "container.resources.requests",
    "without a limit",
    "in a stack it would be a limit too",
    "write `resources:` with what the container may take at most",
);
pub const OTHER_RESOURCES: Rule = dropped(
    "container.resources",
    "other than processor time and memory",
    "a stack has processor time and memory only",
    "keep the container in a manifest of its own if it needs them",
);
pub const PRIVILEGED: Rule = dropped(
    "container.securityContext.privileged",
    "`true`",
    "containers of a stack are never privileged",
    "add the capabilities that it needs",
);
pub const ESCALATION: Rule = dropped(
    "container.securityContext.allowPrivilegeEscalation",
    "`true`",
    "containers of a stack can't gain privileges",
    "run the container as the user that it needs to be",
);
pub const DROP: Rule = approximated(
    "container.securityContext.capabilities.drop",
    "of a container that may be root",
    "the engine's default capabilities stay",
    "only a `restricted` container, which isn't root, drops all",
    "set `runAsUser` or `runAsNonRoot`, or `security: restricted` in the stack",
);
pub const DROP_SOME: Rule = dropped(
    "container.securityContext.capabilities.drop",
    "other than `ALL`",
    "a container drops all capabilities or none",
    "drop `ALL`, and add those that it needs",
);
pub const NON_ROOT: Rule = approximated(
    "container.securityContext.runAsNonRoot",
    "of a container that keeps capabilities",
    "the image's user",
    "only a `restricted` container is refused when it is root",
    "write `user:`, or `security: restricted`",
);
pub const FILE_GROUP: Rule = approximated(
    "pod.securityContext.fsGroup",
    "other than the group of the containers",
    "the group of the first container that writes to a claim",
    "the group of a claim's files follows from `user:`",
    "give the containers this group: `user: 1000:2000`",
);
pub const SYSCTL: Rule = dropped(
    "pod.securityContext.sysctls",
    "other than `net.ipv4.ip_unprivileged_port_start`",
    "a stack sets no kernel parameters",
    "keep the pod in a manifest of its own if it needs them",
);
pub const LOW_PORTS: Rule = dropped(
    "pod.securityContext.sysctls",
    "`net.ipv4.ip_unprivileged_port_start`, without a port below 1024",
    "it follows from the ports of the containers, none of which is below 1024",
    "declare the port that the program binds, such as `ports: { http: { port: 80, local: true } }`",
);
pub const SECCOMP: Rule = dropped(
    "pod.securityContext.seccompProfile, container.securityContext.seccompProfile",
    "other than `RuntimeDefault`",
    "every container runs under the runtime's default profile",
    "leave it out",
);
pub const ALWAYS_PULL: Rule = dropped(
    "container.imagePullPolicy",
    "`Always`",
    "an image is pulled when it is absent",
    "name the image by its digest",
);
pub const SERVICE_ACCOUNT: Rule = dropped(
    "pod.serviceAccountName",
    "unless the token isn't mounted",
    "containers of a stack have no access to the cluster's API",
    "if a program needs it, add the account to what `motif export` writes",
);
pub const RESTART: Rule = approximated(
    "pod.restartPolicy",
    "of a container",
    "its pod's",
    "containers of a pod are started again alike",
    "leave it out; `Always` makes an init container a sidecar",
);
pub const HOST_PORT: Rule = dropped(
    "port.hostPort",
    "",
    "a container's port is reached through a service",
    "add a service, and `publish` its port",
);
pub const PROBE_HOST: Rule = dropped(
    "httpGet.host",
    "",
    "a probe dials the pod itself",
    "for a `Host` header write `headers: { Host: … }`",
);
pub const TCP_HOST: Rule = dropped(
    "tcpSocket.host",
    "",
    "a probe dials the pod itself",
    "probe what the pod itself serves",
);
pub const PROBE_PORT: Rule = dropped(
    "probe.httpGet.port, probe.tcpSocket.port, probe.grpc.port",
    "a name that no port of the container has",
    "no port of the container has this name",
    "name the port of the container",
);
pub const PROBE_KIND: Rule = dropped(
    "probe",
    "without `httpGet`, `tcpSocket`, `exec` or `grpc`",
    "it tries nothing",
    "add what it tries",
);
pub const SCHEDULING: Rule = dropped(
    "pod.dnsPolicy, schedulerName",
    "other than the default",
    "on one host there is nothing to choose",
    "keep it in a patch of what `motif export` writes",
);
pub const HOST: Rule = dropped(
    "pod.hostNetwork, hostPID, hostIPC",
    "`true`",
    "pods of a stack have a network and processes of their own",
    "keep the pod in a manifest of its own if it needs the node's",
);
pub const SPREAD: Rule = dropped(
    "pod.topologySpreadConstraints",
    "other than replicas kept on several nodes",
    "replicas are spread over nodes, and nothing else",
    "keep it in a patch of what `motif export` writes",
);
pub const SUBDOMAIN: Rule = dropped(
    "pod.subdomain",
    "",
    "replicas of a stable pod have names under its service",
    "make the pod `stable`",
);

/// What only a cluster can do with a pod.
const CLUSTER: &str = "on one host there is nothing to choose";
const PATCH: &str = "keep it in a patch of what `motif export` writes";

/// The rows of manifests.
pub const RULES: &[Rule] = &[
    kept_when(
        "object.kind",
        "`Deployment`, `ReplicaSet`, `ReplicationController`",
        "`pods`",
        "",
    ),
    kept_when("object.kind", "`StatefulSet`", "`pods` with `stable: true`", ""),
    DAEMON,
    POD,
    kept_when("object.kind", "`Job`, `CronJob`", "`jobs`", ""),
    kept_when("object.kind", "`Service`", "`services`", ""),
    kept_when(
        "object.kind",
        "`ConfigMap`",
        "`config` volumes and variables",
        "files stand in the stack itself",
    ),
    kept_when("object.kind", "`Secret`", "`secrets`", ""),
    kept_when("object.kind", "`PersistentVolumeClaim`", "`claim` volumes", ""),
    kept_when("object.kind", "`List` and its relatives", "each of its items", ""),
    kept_when(
        "object.kind",
        "`Namespace`, `ServiceAccount`",
        "nothing: an export makes what it needs",
        "",
    ),
    kept_when(
        "object.kind",
        "`PodDisruptionBudget`",
        "nothing: it follows from `replicas`",
        "",
    ),
    kept_when(
        "object.kind",
        "`ReplicaSet`, `Pod` or `Job` that another object owns",
        "nothing: its owner makes it",
        "",
    ),
    kept_when(
        "object.kind",
        "`HorizontalPodAutoscaler`",
        "`replicas` as a range",
        "",
    ),
    kept_when("object.kind", "`NetworkPolicy`", "`egress`", ""),
    INGRESS,
    RBAC,
    KIND,
    NO_KIND,
    kept("object.apiVersion, kind", "the kind of thing that it becomes"),
    kept(
        "object.metadata, spec, data, stringData, binaryData, items",
        "what they hold",
    ),
    kept("object.status", "nothing: a cluster writes it"),
    kept("object.type, immutable", "nothing"),
    kept(
        "metadata.name, generateName",
        "the name of the pod, job, service or secret",
    ),
    NO_NAME,
    TWICE,
    kept_when(
        "metadata.namespace",
        "",
        "nothing: `motif export kubernetes -n` chooses it",
        "",
    ),
    NAMESPACES,
    kept_when(
        "metadata.labels",
        "",
        "what services find their pod by; `app.kubernetes.io/part-of` names the stack",
        "an export writes its own",
    ),
    dropped(
        "metadata.annotations",
        "",
        "a stack has no annotations",
        "what reads them, such as a controller, needs a patch of what `motif export` writes",
    ),
    kept(
        "metadata.creationTimestamp, uid, resourceVersion, generation, managedFields, selfLink, ownerReferences, finalizers, deletionTimestamp, deletionGracePeriodSeconds",
        "nothing: a cluster writes it",
    ),
    UNUSED,
    kept("Deployment.replicas", "`replicas`"),
    kept("Deployment.selector, template", "the pod"),
    kept_when(
        "Deployment.strategy",
        "",
        "nothing",
        "it follows from replicas and claims",
    ),
    kept(
        "Deployment.revisionHistoryLimit, progressDeadlineSeconds",
        "nothing: the cluster's own affair",
    ),
    dropped(
        "Deployment.minReadySeconds",
        "",
        "a replica counts as soon as it is ready",
        "let `successes` of the `ready` probe say it",
    ),
    dropped("Deployment.paused", "", "an import is of what runs", PATCH),
    STRATEGY,
    REPLICAS,
    kept("ReplicaSet.replicas", "`replicas`"),
    kept("ReplicaSet.selector, template", "the pod"),
    dropped(
        "ReplicaSet.minReadySeconds",
        "",
        "a replica counts as soon as it is ready",
        "let `successes` of the `ready` probe say it",
    ),
    kept("StatefulSet.replicas", "`replicas`"),
    kept("StatefulSet.selector, template", "the pod"),
    kept(
        "StatefulSet.serviceName",
        "nothing: an export makes it, unless it is one of `services`",
    ),
    kept(
        "StatefulSet.volumeClaimTemplates",
        "`claim` volumes, one for each replica",
    ),
    kept_when(
        "StatefulSet.podManagementPolicy",
        "`Parallel`",
        "nothing: replicas start together",
        "",
    ),
    ORDERED,
    kept("StatefulSet.updateStrategy", "nothing"),
    kept(
        "StatefulSet.revisionHistoryLimit",
        "nothing: the cluster's own affair",
    ),
    dropped(
        "StatefulSet.minReadySeconds",
        "",
        "a replica counts as soon as it is ready",
        "let `successes` of the `ready` probe say it",
    ),
    dropped(
        "StatefulSet.persistentVolumeClaimRetentionPolicy",
        "",
        "claims stay until `motif down --volumes`",
        PATCH,
    ),
    dropped("StatefulSet.ordinals", "", "replicas count from 0", PATCH),
    kept("DaemonSet.selector, template", "the pod"),
    kept("DaemonSet.updateStrategy, revisionHistoryLimit", "nothing"),
    dropped(
        "DaemonSet.minReadySeconds",
        "",
        "a replica counts as soon as it is ready",
        "let `successes` of the `ready` probe say it",
    ),
    kept("Job.completions, parallelism", "`completions`, `parallelism`"),
    kept("Job.completionMode", "`indexed`"),
    kept("Job.backoffLimit", "`retries`"),
    kept("Job.activeDeadlineSeconds", "`deadline`"),
    kept("Job.ttlSecondsAfterFinished", "`ttl`"),
    kept("Job.template", "the job's containers and volumes"),
    kept(
        "Job.selector, manualSelector, suspend, podReplacementPolicy",
        "nothing",
    ),
    dropped(
        "Job.backoffLimitPerIndex, maxFailedIndexes, podFailurePolicy, successPolicy, managedBy",
        "",
        "a job ends well when all of its runs have, and fails when `retries` are used up",
        PATCH,
    ),
    SUSPENDED,
    kept("CronJob.schedule", "`schedule`"),
    SCHEDULE,
    kept("CronJob.concurrencyPolicy", "`concurrency`"),
    kept("CronJob.jobTemplate", "the job"),
    kept_when("CronJob.timeZone", "UTC", "nothing: a schedule is in UTC", ""),
    ZONE,
    kept(
        "CronJob.suspend, successfulJobsHistoryLimit, failedJobsHistoryLimit",
        "nothing: the cluster's own affair",
    ),
    dropped(
        "CronJob.startingDeadlineSeconds",
        "",
        "a run that is missed is not made up for",
        PATCH,
    ),
    kept("template.metadata, spec", "the pod"),
    kept("pod.containers", "`containers`"),
    kept(
        "pod.initContainers",
        "`containers` with `role: init`, or `sidecar` with `restartPolicy: Always`",
    ),
    kept("pod.volumes", "`volumes`, where a container mounts them"),
    kept("pod.hostname", "`hostname`"),
    kept("pod.shareProcessNamespace", "`shareProcesses`"),
    kept("pod.terminationGracePeriodSeconds", "`grace`"),
    kept("pod.restartPolicy", "`restart` of a job"),
    RESTART,
    kept("pod.securityContext", "`security` and `user` of its containers"),
    kept(
        "pod.automountServiceAccountToken, serviceAccountName, serviceAccount",
        "nothing: no token is mounted",
    ),
    SERVICE_ACCOUNT,
    kept_when(
        "pod.enableServiceLinks",
        "",
        "nothing: there are no such variables",
        "",
    ),
    kept_when(
        "pod.topologySpreadConstraints",
        "of replicas over nodes",
        "nothing: it follows from `replicas`",
        "",
    ),
    SPREAD,
    SUBDOMAIN,
    kept("pod.preemptionPolicy, priority", "nothing"),
    SCHEDULING,
    HOST,
    dropped(
        "pod.nodeSelector, nodeName, affinity, tolerations, priorityClassName, runtimeClassName, schedulingGates, overhead, readinessGates, resourceClaims, os, hostUsers, setHostnameAsFQDN, resources",
        "",
        CLUSTER,
        PATCH,
    ),
    dropped(
        "pod.hostAliases, dnsConfig",
        "",
        "names in a stack are those of services and replicas",
        "add a service, or dial by address",
    ),
    dropped(
        "pod.imagePullSecrets",
        "",
        "images are pulled with the engine's own credentials",
        "`docker login`; on a cluster give the pod's service account the secret",
    ),
    dropped(
        "pod.activeDeadlineSeconds",
        "",
        "a pod has no deadline",
        "make a job of it",
    ),
    dropped(
        "pod.ephemeralContainers",
        "",
        "they are for looking at a running pod",
        "use `motif exec`",
    ),
    kept("container.name", "its name"),
    kept(
        "container.image",
        "`image`; motif's own block image with its first argument: `block`",
    ),
    kept("container.command", "`command`"),
    kept("container.args", "`args`; of a block its flags"),
    kept_when(
        "container.env",
        "",
        "`env`",
        "`$(NAME)` is replaced as the cluster would",
    ),
    ENV_EXPANSION,
    ENV_FIELD,
    kept("container.envFrom", "`env`: each key of the ConfigMap or Secret"),
    CONFIG_MISSING,
    SECRET_MISSING,
    kept("container.ports", "`ports`"),
    HOST_PORT,
    SCTP,
    kept("container.workingDir", "`directory`"),
    kept("container.resources", "`resources`: the limits"),
    REQUESTS,
    ONLY_REQUESTS,
    OTHER_RESOURCES,
    kept("container.volumeMounts", "`mounts`"),
    SUBPATH,
    SUBPATH_CLAIM,
    SUBPATH_FILE,
    SUBPATH_ROOT,
    MOUNT_MISSING,
    MOUNT_TWICE,
    kept(
        "container.startupProbe, readinessProbe, livenessProbe",
        "`startup`, `ready`, `live`",
    ),
    kept(
        "container.securityContext",
        "`security`, `user`, `readOnly`, `capabilities`",
    ),
    kept(
        "container.restartPolicy",
        "`role: sidecar` of an init container with `Always`",
    ),
    kept_when("container.imagePullPolicy", "other than `Always`", "nothing", ""),
    ALWAYS_PULL,
    kept(
        "container.terminationMessagePath, terminationMessagePolicy",
        "nothing: `motif why` shows what a container last said",
    ),
    dropped(
        "container.lifecycle",
        "",
        "a stack has no hooks",
        "let the program end its work on SIGTERM within `grace`; what comes first is an init container",
    ),
    dropped(
        "container.stdin, stdinOnce, tty",
        "",
        "containers of a stack have no terminal",
        "use `motif exec -it`",
    ),
    dropped(
        "container.resizePolicy, volumeDevices, restartPolicyRules",
        "",
        "a stack has nothing for it",
        PATCH,
    ),
    kept("port.containerPort, name, protocol", "`ports`"),
    dropped(
        "port.hostIP",
        "",
        "a container's port is reached through a service",
        "add a service, and `publish` its port",
    ),
    kept("env.name, value, valueFrom", "`env`"),
    kept("valueFrom.configMapKeyRef", "the text"),
    kept("valueFrom.secretKeyRef", "`{ secret, key }`"),
    kept("reference.name, key, optional", "the reference"),
    kept("envFrom.prefix, configMapRef, secretRef", "`env`"),
    kept("resources.limits, requests", "`resources`"),
    dropped(
        "resources.claims",
        "",
        "a stack has processor time and memory only",
        PATCH,
    ),
    kept("mount.name, mountPath, readOnly, subPath", "`mounts`"),
    kept_when("mount.recursiveReadOnly, mountPropagation", "", "nothing", ""),
    dropped(
        "mount.subPathExpr",
        "",
        "a volume is mounted whole",
        "let the program make its own folder",
    ),
    kept_when(
        "securityContext.runAsNonRoot, capabilities, allowPrivilegeEscalation",
        "`true`; `drop: [ALL]`; `false`",
        "`security: restricted`, where all are so; else `baseline`",
        "",
    ),
    kept("securityContext.runAsUser, runAsGroup", "`user`"),
    kept("securityContext.readOnlyRootFilesystem", "`readOnly`"),
    kept(
        "securityContext.fsGroup, fsGroupChangePolicy",
        "nothing: it follows from `user` where claims are mounted",
    ),
    FILE_GROUP,
    kept("securityContext.sysctls", "nothing"),
    SYSCTL,
    LOW_PORTS,
    kept("securityContext.seccompProfile", "nothing: the default profile"),
    SECCOMP,
    kept("securityContext.privileged", "nothing"),
    PRIVILEGED,
    ESCALATION,
    DROP,
    DROP_SOME,
    NON_ROOT,
    dropped(
        "securityContext.supplementalGroups, supplementalGroupsPolicy",
        "",
        "a container has one user and one group",
        "write `user: user:group`",
    ),
    dropped(
        "securityContext.seLinuxOptions, appArmorProfile, windowsOptions, procMount, seLinuxChangePolicy",
        "",
        "a stack has nothing for it",
        PATCH,
    ),
    kept("capabilities.add, drop", "`capabilities`"),
    kept(
        "probe.httpGet, tcpSocket, exec, grpc",
        "`http`, `tcp`, `exec`, `grpc`",
    ),
    kept("probe.initialDelaySeconds", "`delay`"),
    kept("probe.periodSeconds", "`every`"),
    kept("probe.timeoutSeconds", "`timeout`"),
    kept("probe.failureThreshold", "`failures`"),
    kept("probe.successThreshold", "`successes`"),
    dropped(
        "probe.terminationGracePeriodSeconds",
        "",
        "a failed probe gives a container the pod's `grace`",
        "set `grace`",
    ),
    PROBE_KIND,
    kept(
        "httpGet.path, port, scheme, httpHeaders",
        "`http`, `port`, `scheme`, `headers`",
    ),
    kept("tcpSocket.port", "`tcp`"),
    kept("exec.command", "`exec`"),
    kept("grpc.port, service", "`grpc`, `service`"),
    kept("header.name, value", "`headers`"),
    PROBE_HOST,
    TCP_HOST,
    PROBE_PORT,
    kept("volume.name", "its name"),
    kept("volume.emptyDir", "`empty`, or `tmpfs` with `medium: Memory`"),
    kept("volume.configMap", "`config`, with its files in the stack"),
    kept("volume.secret", "`secret`"),
    kept(
        "volume.persistentVolumeClaim",
        "`claim`, with the size that the claim requests",
    ),
    VOLUME_KIND,
    CLAIM_MISSING,
    CLAIM_SHARED,
    SECRET_KEYS,
    SECRET_ITEMS,
    kept("emptyDir.medium, sizeLimit", "`tmpfs`, `size`"),
    kept(
        "source.name, secretName, items, optional, claimName, readOnly",
        "the reference",
    ),
    FILE_MODE,
    kept("claim.resources", "its size"),
    kept(
        "claim.accessModes",
        "nothing: it follows from the replicas that share it",
    ),
    kept("claim.volumeMode, volumeName", "nothing"),
    dropped(
        "claim.storageClassName, selector, dataSource, dataSourceRef, volumeAttributesClassName",
        "",
        "a claim has a size, and the cluster's default class",
        PATCH,
    ),
    kept("claimResources.requests", "its size"),
    kept("claimResources.limits", "nothing"),
    kept("Service.selector", "`pod`"),
    SERVICE_SELECTOR,
    SERVICE_PODS,
    kept("Service.ports", "`ports`"),
    HEADLESS_PORTS,
    PORT_TWICE,
    PORT_TARGET,
    kept("Service.clusterIP, clusterIPs", "`headless` where it is `None`"),
    kept("Service.sessionAffinity", "`affinity`"),
    kept_when(
        "Service.publishNotReadyAddresses",
        "of the service that names a StatefulSet's replicas",
        "nothing: an export makes it",
        "",
    ),
    NOT_ADDRESSES,
    kept_when("Service.type", "`ClusterIP`", "nothing", ""),
    PUBLISHED,
    EXTERNAL_NAME,
    kept(
        "Service.internalTrafficPolicy, externalTrafficPolicy, ipFamilies, ipFamilyPolicy, allocateLoadBalancerNodePorts, trafficDistribution, healthCheckNodePort",
        "nothing: the cluster's own affair",
    ),
    dropped(
        "Service.externalIPs, loadBalancerIP, loadBalancerSourceRanges, loadBalancerClass, sessionAffinityConfig",
        "",
        "a stack has nothing for it",
        PATCH,
    ),
    kept(
        "servicePort.name, port, targetPort, protocol, nodePort, appProtocol",
        "`ports`, `publish`",
    ),
    kept_when("ConfigMap.binaryData", "UTF-8 text", "`config`, as a text", ""),
    CONFIG_BINARY,
    SECRET_VALUES,
    kept("HorizontalPodAutoscaler.minReplicas, maxReplicas", "`min`, `max`"),
    kept("HorizontalPodAutoscaler.scaleTargetRef", "the pod"),
    kept("HorizontalPodAutoscaler.targetCPUUtilizationPercentage", "`cpu`"),
    AUTOSCALER,
    kept("scaleTarget.apiVersion, kind, name", "the pod"),
    kept("metric.type, resource", "`cpu`, `memory`"),
    METRIC,
    kept("metricResource.name, target", "`cpu`, `memory`"),
    kept("metricTarget.type, averageUtilization", "`cpu`, `memory`"),
    METRIC_TARGET,
    kept(
        "NetworkPolicy.egress",
        "`egress`: services, networks, the internet",
    ),
    POLICY_INGRESS,
    POLICY_OPEN,
    POLICY_PEER,
    kept(
        "NetworkPolicy.podSelector, policyTypes",
        "the pods that have the `egress`",
    ),
    kept("selector.matchLabels", "the pods with these labels"),
    POLICY_SELECTOR,
    kept("policyRule.from, to, ports", "`egress`"),
    POLICY_WHOLE,
    POLICY_SERVICE,
    kept("policyPeer.podSelector", "the services of these pods"),
    kept("policyPeer.ipBlock", "the network, or `internet`"),
    kept("policyBlock.cidr", "the network"),
    POLICY_EXCEPT,
    kept("policyPort.port, protocol", "the port"),
    POLICY_PORT,
    POLICY_NAMED,
    BUDGET,
    NO_TARGET,
    NO_BACKEND,
];
