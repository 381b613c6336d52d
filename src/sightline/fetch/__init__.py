"""HTTP to addresses that strangers name: checked, pinned, limited. It knows no video."""

__all__: list[str] = []
