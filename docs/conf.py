"""How the site is built: `make docs`."""

import re
from datetime import date

import sklstm
from sklstm._data import estimator

SITE = estimator.SITE
estimator.SITE = ".."  # pages of the gallery link to the reference of this very site

project = "sklstm"
author = "The sklstm developers"
copyright = f"{date.today():%Y}, {author}"
version = release = sklstm.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/**/*.ipynb", "gallery/**/*.md5"]
default_role = "literal"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference: what the classes themselves define, as their docstrings put it.
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True


def skip_member(app, what, name, member, skip, options):
    """Leave out members of scikit-learn, and properties that "Attributes" describes."""
    is_fitted = isinstance(member, property) and name.endswith("_")
    is_foreign = callable(member) and not str(getattr(member, "__module__", "")).startswith(
        "sklstm"
    )
    return True if is_fitted or is_foreign or re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Connect the function above to Sphinx."""
    app.connect("autodoc-skip-member", skip_member)


# Links to other projects; where their lists of names cannot be reached, they are plain text.
SITES = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "pandas": "https://pandas.pydata.org/docs",
    "sklearn": "https://scikit-learn.org/stable",
    "torch": "https://docs.pytorch.org/docs/stable",
    "skorch": "https://skorch.readthedocs.io/en/stable",
}
intersphinx_mapping = {name: (site, (None, "offline.inv")) for name, site in SITES.items()}
intersphinx_timeout = 10

# The examples run while the site is built; a warning of one is an error.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"watch_in_tensorboard|__init__",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "doc_module": ("sklstm",),
    "backreferences_dir": "api/examples",
    "reference_url": {"sklstm": None},
    "show_memory": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "ignore_repr_types": r"matplotlib",
}

html_theme = "pydata_sphinx_theme"
html_title = "sklstm"
html_baseurl = SITE or ""
html_static_path = ["_static"]
html_extra_path = ["llms.txt"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": "https://github.com/sklstm/sklstm",
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {
        "**": ["page-toc", "sg_download_links"],
        "gallery/index": [],
    },
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {page: [] for page in ("quickstart", "install", "faq", "coming_from")}
