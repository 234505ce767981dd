"""The page データの所在: one table from the ledger; authorised as its DAG."""

from tests.builders import CYCLE, a_cycle

from notice_cycle import records as r
from notice_cycle_airflow.views import copies, report


def own_script() -> str:
    """The one script that stands in every page."""
    _, opening, rest = report.filled("", "").partition("<script>")
    return opening + rest.partition("</script>")[0]


def test_the_page_shows_every_copy_of_the_cycle_and_escapes_what_a_contractor_wrote() -> None:
    told = a_cycle()
    proof = told[r.ErasureRecord].parties[0]
    evil = proof.copies[2].model_copy(update={"place": "<script>alert(1)</script>"})
    cycle = told.with_(erasure={"parties": (proof.model_copy(update={"copies": (*proof.copies[:2], evil)}),)})
    page = copies.document(CYCLE, cycle.history())
    assert "架空データ" in page
    assert page.count("<tr class=") == 10
    assert "<script" not in page.replace(own_script(), "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_is_authorised_as_its_dag_and_stands_beside_the_run() -> None:
    import notice_cycle_plugin

    routes = {route.path: route for route in report.app.routes if hasattr(route, "dependencies")}
    assert routes["/copies/{dag_id}"].dependencies == routes["/report/{dag_id}"].dependencies != []
    views = notice_cycle_plugin.NoticeCyclePlugin.external_views
    assert copies.VIEW in views
    assert len({view["url_route"] for view in views}) == len(views)
