"""The pages of the attached screen, each a frozen state with two pure functions of it.

How to add a page: write a module with one frozen dataclass that extends `device.screen.navigation.page.Page`.

- `title` names it; `draw(canvas, places, live)` draws into `places.body` and returns its `Control`s. `parts.button_row`
  draws the buttons at the bottom (the first is `BACK`, which the navigator follows) and `parts.list_rows` a list; each
  returns the controls of what it drew. A control has a name, a box, a key, and a `value` that it hands to `press`.
- `press(pressed, live)` returns an outcome: `Stay` with a changed state, `Open` another page, `Back`, `Home`, a
  `Notice`, or `Perform` an action by name; its `then` turns the action's answer into the next outcome, which is how a
  page gets its data. `then` is a pure function too. The navigator alone performs actions (`device.actions`, and those
  of the screen itself in `device.screen.navigation.own_actions`), in a thread of their own, and shows their errors.
- Touch, Tab, arrows, Return, Escape, the keys of controls and F1 are the navigator's. `takes_text = True` hands typed
  characters to `press` instead of taking them for the keys of controls (give those function keys then); `keyboard` is
  for touch. `shows_live = True` draws the page anew with every result, and `fed(live)` returns it after one.
- Texts for people are whole sentences, one `str.format`-able literal each.
- Add its states to `tests/device/screen/page_states.py`: golden pictures, whole texts, sizes of controls and pure
  drawing are tested from there. Then open the pictures (`SMEARSCOPE_WRITE_GOLDEN=1`) and look at each.
- Open it from the menu (`menu.ENTRIES`) or from another page.
"""
