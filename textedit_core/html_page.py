"""The skeleton of this project's HTML pages: one look, light and dark, with every picture inside the file."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image

JPEG_QUALITY = 85

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#666b73;--paper:#fafaf8;--card:#fff;--line:#e4e3df;--accent:#2f6f5e}
:root{--second:#b4622d}
@media (prefers-color-scheme:dark){
:root{--ink:#e8e8e6;--soft:#9aa0a8;--paper:#141517;--card:#1d1f22;--line:#303338;--accent:#74c2ab;--second:#e0995f}
}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:48px 24px 96px}
h1{font-size:2.1rem;letter-spacing:-.02em;margin:0 0 24px}
h1 span{color:var(--accent);font-weight:400}
h2{font-size:1.25rem;letter-spacing:-.01em;margin:56px 0 8px}
p{color:var(--soft);margin:0 0 16px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
dt{color:var(--soft);font-size:.8rem}
dd{margin:2px 0 0;font-weight:600}
figure{margin:0}
img{width:100%;display:block;border-radius:10px;background:var(--line)}
figcaption{color:var(--soft);font-size:.78rem;margin-top:4px;text-align:center}
table{border-collapse:collapse;width:100%;font-size:.9rem;display:block;overflow-x:auto}
th,td{text-align:left;padding:8px 14px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500}
li{margin-bottom:8px}
@media (max-width:640px){main{padding:28px 16px 64px}}
"""


def html_page(title: str, body: str, style: str = "") -> str:
    """A whole document around `body`; `title` is plain text, `style` CSS that follows the common one."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}{style}</style></head><body><main>{body}</main></body></html>\n'


def inline_picture(image: Image.Image, label: str) -> str:
    """An RGB image as a figure with its bytes inside the page; `label`, plain text, is its caption and its description."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    source = base64.b64encode(buffer.getvalue()).decode()
    return f'<figure><img alt="{escape(label)}" src="data:image/jpeg;base64,{source}"><figcaption>{escape(label)}</figcaption></figure>'
