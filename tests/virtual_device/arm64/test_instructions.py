"""The emulator's log is added up block by block."""

from tests.virtual_device.arm64.instructions import executed

LOG = b"""----------------
IN: xnn_gemm
0x7f0000001000:  d503201f  nop
0x7f0000001004:  d503201f  nop
0x7f0000001008:  54000000  b.eq

Trace 0: 0x7fe0c0 [00000000/00007f0000001000/00000000/00000000] xnn_gemm
Trace 0: 0x7fe0c0 [00000000/00007f0000001000/00000000/00000000] xnn_gemm
----------------
IN: xnn_relu
0x7f0000002000:  d65f03c0  ret

Trace 0: 0x7fe1c0 [00000000/00007f0000002000/00000000/00000000] xnn_relu
Trace 0: 0x7fe0c0 [00000000/00007f0000001000/00000000/00000000] xnn_gemm
"""


def test_each_run_of_a_block_counts_its_instructions() -> None:
    assert executed(iter(LOG.splitlines(keepends=True))) == 3 * 3 + 1
