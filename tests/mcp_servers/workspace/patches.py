"""A patch that changes one file and makes another."""

PATCH = """\
diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,3 @@
 one
+one and a half
 two
@@ -9,2 +10,1 @@
 nine
-ten
--- /dev/null
+++ b/new/b.py
@@ -0,0 +1,2 @@
+made
+here
"""
