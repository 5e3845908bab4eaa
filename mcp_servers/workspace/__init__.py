"""The workspace server: the files and commands of a project, inside its folders only."""
