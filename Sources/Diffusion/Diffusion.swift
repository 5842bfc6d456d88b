// Placeholder of the module until its first source lands.
