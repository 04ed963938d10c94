"""The browser without a screen reads pages as a person uses them."""

import pytest

from reviewsvc.demo.browser import PageError, desks, read_page

pytestmark = pytest.mark.unit

PAGE = """
<a href="/queues/refusals/desk">Refusals</a> <a href="/queues/refusals/desk">Review</a>
<a href="/account">You</a>
<input name="outside" value="1">
<form method="post" action="/tasks/7/decide" id="answer">
  <input type="hidden" name="csrf_token" value="a&amp;b"><input type="hidden" name="token" value="3">
  <button name="value" value="approve">Agree</button><button>Send</button>
</form>
<form action="/logout"><input name="csrf_token" value="c"></form>
"""


def test_a_form_holds_what_stands_in_it_and_what_its_buttons_send() -> None:
    form = read_page("http://here/desk", PAGE).form(id="answer")
    assert form.action == "/tasks/7/decide"
    assert form.values == {"csrf_token": "a&b", "token": "3"}
    assert [each.field for each in form.buttons] == [{"value": "approve"}, {}]


def test_a_form_that_is_not_there_is_said() -> None:
    with pytest.raises(PageError, match="has no form"):
        read_page("http://here/desk", PAGE).form(action="/nowhere")


def test_each_desk_is_visited_once() -> None:
    assert list(desks(read_page("http://here/queues", PAGE))) == ["/queues/refusals/desk"]
