mod workspace;

fn main() {}
