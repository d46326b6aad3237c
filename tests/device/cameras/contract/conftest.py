from tests.device.cameras.contract.benches import bench

__all__ = ["bench"]
