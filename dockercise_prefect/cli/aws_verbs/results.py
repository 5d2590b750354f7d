"""`aws results`: shows the records of an account in a browser."""

from __future__ import annotations

import threading
import webbrowser

import click

from dockercise_prefect.settings import read_settings

PORT = 8300


@click.command
@click.argument("pipeline", required=False)
@click.argument("run", required=False)
@click.option("--name", "stack", metavar="STACK", help="The stack that has the bucket.  [default: dockercise]")
@click.option("--region", metavar="REGION", help="The region of AWS; default: that of your profile.")
@click.option("--profile", metavar="PROFILE", help="The profile in ~/.aws; default: AWS_PROFILE, or the default profile.")
@click.option("--role", metavar="ARN", help="A role to assume first, such as one in another account.")
@click.option("--external-id", metavar="ID", help="The external id that the role asks for.")
@click.option("--bucket", metavar="PLACE", help="Where the records are, as s3://bucket/prefix; no stack is needed.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 chooses a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def results(
    *,
    pipeline: str | None,
    run: str | None,
    stack: str | None,
    region: str | None,
    profile: str | None,
    role: str | None,
    external_id: str | None,
    bucket: str | None,
    port: int,
    no_browser: bool,
) -> None:
    """Open the pipelines and runs of an account in a browser: all of them, those of PIPELINE, or its RUN.

    RUN is a run id, the beginning of one, or `last`. A server on this machine reads the bucket with your credentials; nothing
    in the bucket becomes public. The address that is printed lets in the browser that opens it first. Without --name and
    --bucket, the setting `results` is used if it is a bucket, otherwise the bucket of the stack `dockercise`. Ctrl-C ends it
    with exit status 0.
    """
    from dockercise_prefect.aws.account import Access
    from dockercise_prefect.aws.stored_results import open_results
    from dockercise_prefect.orchestration.run.report import drawing
    from dockercise_prefect.results.reading.records import Records
    from dockercise_prefect.results.serving.server import listen, serve
    from dockercise_prefect.results.serving.site import Site, path_to

    access = Access(region=region, profile=profile, role=role, external_id=external_id)
    found = open_results(access, read_settings(), stack, bucket)
    records = Records(found.objects, pipeline)
    records.pipelines()  # what is wrong with the bucket or the pipeline is said here, not in the browser
    parts = records.find(run).path.split("/") if run else [pipeline] if pipeline else []

    def ready(first: str) -> None:
        click.echo(f"{found.objects.url} in account {found.account}, until Ctrl-C:")
        click.echo(first)
        if not no_browser:
            # A browser may need long to start. The terminal must not wait for it, or for its end.
            threading.Thread(target=webbrowser.open, args=(first,), daemon=True).start()

    with listen(port) as listener:
        serve(Site(found.account, found.objects, drawing).app(), listener, path_to(found.account, *parts), ready)
