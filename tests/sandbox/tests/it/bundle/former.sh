#!/bin/sh
# Writes what the Python charm writes into its databags and secrets, and runs nothing.
set -e
leader=$(is-leader)
peers=$(relation-ids kratos-peers)
app=kratos
topology="\"model\":\"$JUJU_MODEL_NAME\",\"model_uuid\":\"$JUJU_MODEL_UUID\",\"application\":\"$app\",\"unit\":\"$app/0\""
requested='["username","password","tls","tls-ca","uris","read-only-uris","entity-name","entity-password"]'

# Only the leader writes for the application.
say() { [ "$leader" != True ] || relation-set --app "$@"; }
route() {
    id="juju-$JUJU_MODEL_NAME-$app-$1"
    say raw=True config="{\"http\":{\"routers\":{\"$id-router-schemas\":{\"rule\":\"PathPrefix(\`/schemas\`)\",\"service\":\"$id-service\",\"entryPoints\":[\"web\"]}},\"services\":{\"$id-service\":{\"loadBalancer\":{\"servers\":[{\"url\":\"http://$app.$JUJU_MODEL_NAME.svc.cluster.local:4433\"}]}}}}}"
}

case "$JUJU_HOOK_NAME" in
leader-elected)
    secret-add --label cookie_secret cookiesecret=00112233445566778899aabbccddeeff >/dev/null
    relation-set -r "$peers" --app leader="\"$JUJU_UNIT_NAME\""
    ;;
pg-database-relation-created)
    say database="${JUJU_MODEL_NAME}_$app" extra-user-roles=SUPERUSER requested-secrets="$requested" provided-secrets='["mtls-cert"]'
    [ "$leader" != True ] || relation-set requested-secrets="$requested" provided-secrets='["mtls-cert"]'
    ;;
pg-database-relation-changed)
    relation-set data="{\"database\":\"${JUJU_MODEL_NAME}_$app\"}"
    [ "$leader" != True ] || relation-set -r "$peers" --app migration_version_"${JUJU_RELATION_ID#*:}"="\"$(cat version)\"" migration_version_99='"v1.0.0"'
    ;;
public-route-relation-changed) route public-api ;;
public-route-relation-created) say config='{}' raw=True ;;
internal-route-relation-created | internal-route-relation-changed) route admin-api ;;
kratos-external-idp-relation-changed)
    id=$(relation-get --format=json - "$JUJU_REMOTE_APP" --app | sed -n 's/.*\\"id\\":\\"\([a-z0-9_]*\)\\".*/\1/p')
    say providers="[{\"provider_id\":\"$id\",\"redirect_uri\":\"https://id.example/self-service/methods/oidc/callback/$id\"}]"
    ;;
tracing-relation-created) say receivers='["otlp_http"]' ;;
receive-ca-cert-relation-created) say version=1 ;;
logging-relation-joined) say metadata="{$topology,\"charm_name\":\"kratos\"}" alert_rules='{}' ;;
kratos-info-relation-created)
    say admin_endpoint=http://$app.$JUJU_MODEL_NAME.svc.cluster.local:4434 public_endpoint=http://$app.$JUJU_MODEL_NAME.svc.cluster.local:4433 \
        login_browser_endpoint=https://id.example/self-service/login/browser sessions_endpoint=http://$app.$JUJU_MODEL_NAME.svc.cluster.local:4433/sessions/whoami \
        providers_configmap_name=oidc-providers schemas_configmap_name=identity-schemas configmaps_namespace="$JUJU_MODEL_NAME" \
        mfa_enabled=True oidc_webauthn_sequencing_enabled=False verification_enabled=False feature_flags=password,totp,backup_codes
    ;;
metrics-endpoint-relation-joined)
    relation-set prometheus_scrape_unit_address=10.1.2.3 prometheus_scrape_unit_name="$JUJU_UNIT_NAME"
    say scrape_metadata="{$topology,\"charm_name\":\"kratos\"}" alert_rules='{"groups":[]}' \
        scrape_jobs='[{"metrics_path":"/metrics/prometheus","static_configs":[{"targets":["*:4434"]}]}]'
    ;;
grafana-dashboard-relation-created)
    say dashboards='{"templates":{},"uuid":"3f0b1dd2-6b4e-4f9b-8c9e-0d6b2b0a6b3a"}'
    ;;
esac
