def policies_page(courses, *, metric, title, through):
    return "<html></html>"
